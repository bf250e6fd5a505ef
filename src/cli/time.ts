/** Times for people: lengths such as "1h5m", ages, instants. Pure. */

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
] as const;

/** The two largest units, in the form in which the API takes durations: "1h5m", "42s", "350ms". */
export function lengthOf(ms: number): string {
  const largest = UNITS.findIndex(([, unit]) => ms >= unit);
  if (largest < 0) return `${Math.max(0, Math.round(ms))}ms`;
  let rest = ms;
  let text = '';
  for (const [name, unit] of UNITS.slice(largest, largest + 2)) {
    const count = Math.floor(rest / unit);
    rest -= count * unit;
    if (count > 0) text += `${count}${name}`;
  }
  return text;
}

/** @param at epoch ms, where there is one */
export function ageOf(at: number | undefined, now: number): string | undefined {
  return at === undefined ? undefined : lengthOf(now - at);
}

/** @param at epoch ms, where there is one */
export function instantOf(at: number | undefined): string | undefined {
  return at === undefined ? undefined : new Date(at).toISOString().replace('.000Z', 'Z');
}

/** @param at epoch ms, where there is one */
export function fromNow(at: number | undefined, now: number): string | undefined {
  if (at === undefined) return undefined;
  return at > now ? `in ${lengthOf(at - now)}` : `${lengthOf(now - at)} ago`;
}
