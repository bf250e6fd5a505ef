/** Measures: how the values of a plot are read, and where marks stand on its axis. Pure. */
import { count, duration } from './format.ts';

export interface Measure {
  show(value: number): string;
  /** Between two marks: whole ones that `show` tells apart. */
  steps: number[];
  /** Whether a value says nothing: where all do there is nothing to draw. */
  isNone(value: number | null): boolean;
}

const DECADES = Array.from({ length: 13 }, (_, i) => 10 ** i);
const ROUND = DECADES.flatMap((decade) => [decade, 2 * decade, 5 * decade]);

export const COUNTS: Measure = {
  show: (value) => count(Number(value.toFixed(1))),
  steps: ROUND,
  isNone: (value) => !value,
};

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** ms; none where nothing was measured, which is not the same as 0. */
export const DURATIONS: Measure = {
  show: duration,
  steps: [
    ...ROUND.filter((ms) => ms <= 10 * SECOND_MS),
    ...[20, 30].map((seconds) => seconds * SECOND_MS),
    ...[1, 2, 5, 10, 20, 30].map((minutes) => minutes * MINUTE_MS),
    ...[1, 2, 4, 8, 12].map((hours) => hours * HOUR_MS),
    ...ROUND.map((days) => days * DAY_MS),
  ],
  isNone: (value) => value === null,
};
