/** Sleeping, where nothing can end the wait. */
export const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
