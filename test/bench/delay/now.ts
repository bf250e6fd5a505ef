/** The time that all threads of a process share, ms with their fractions. */
export const nowMs = () => Number(process.hrtime.bigint()) / 1e6;
