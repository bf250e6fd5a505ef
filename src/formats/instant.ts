/** Instants in what callers send. Pure. */

const ISO_8601 = /^(\d{4}-\d\d-(\d\d))T(?!24)\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$/;

/** @returns whether it is ISO 8601 with seconds and a time zone, of a day that there is: 30 February is 2 March to Date */
export function isIsoInstant(text: string): boolean {
  const [, date = '', day] = ISO_8601.exec(text) ?? [];
  return new Date(date).getUTCDate() === Number(day) && !Number.isNaN(Date.parse(text));
}
