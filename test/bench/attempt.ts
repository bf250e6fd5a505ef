/** A measurement of one contender, judged: what it says of losses and doubles is added up, and one that fails costs its own figure alone. */
import type { Place } from './contender.ts';
import type { Verdict } from './ledger.ts';
import { type Entrant, type Run, withRun } from './run.ts';

interface Judged {
  entrant: Entrant;
  figures: Verdict & { messages: number; failed: string[] };
}

export async function attempt<T>(
  { entrant, figures }: Judged,
  place: Place,
  what: string,
  measure: (run: Run) => Promise<T>,
): Promise<T | undefined> {
  try {
    const { value, verdict, sent } = await withRun(entrant, place, measure);
    figures.messages += sent;
    figures.lost += verdict.lost;
    figures.doubled += verdict.doubled;
    return value;
  } catch (error) {
    figures.failed.push(`${what}: ${error instanceof Error ? error.message : String(error)}`.slice(0, 200));
    return undefined;
  }
}

/** Keeps what a round has given. */
export function note({ rates }: { rates: Record<string, number[]> }, name: string, rate: number | undefined): void {
  if (rate === undefined) return;
  rates[name] ??= [];
  rates[name].push(rate);
}
