/** One demand, and how it is judged: asked, measured, and whether it holds. Pure. */

export interface Demand {
  what: string;
  asked: string;
  measured: string;
  /** undefined: this run did not measure it, or it was not asked and helps to judge what was. */
  holds: boolean | undefined;
}

export function times(what: string, asked: number, ours: number | undefined, theirs: number | undefined): Demand {
  const ratio = ours && theirs && Number.isFinite(ours / theirs) ? ours / theirs : undefined;
  const measured = ratio === undefined ? 'not measured' : `${ratio.toFixed(1)} times`;
  return { what, asked: `≥ ${asked} times`, measured, holds: ratio === undefined ? undefined : ratio >= asked };
}

/** Was not asked: another view of the ratio above it. */
export function beside(what: string, ours: number | undefined, theirs: number | undefined): Demand {
  return { ...times(what, 0, ours, theirs), asked: '–', holds: undefined };
}

export function most(
  what: string,
  asked: number,
  value: number | undefined,
  digits = value && value < 1 ? 2 : 1,
): Demand {
  const measured = value === undefined ? 'not measured' : value.toFixed(digits);
  // To the digits that are shown: the first call of a run has to load its script.
  const holds = value === undefined ? undefined : Number(measured) <= asked;
  return { what, asked: `≤ ${asked}`, measured, holds };
}
