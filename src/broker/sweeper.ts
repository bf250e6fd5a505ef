/** Sweeping: step by step until nothing more is due, and from one sweep to the next through all keys, whoever makes it. */
import { logError, logWarning } from '../log.ts';
import { PUSH_POOL } from '../message/lane.ts';
import type { FireDue } from '../store/due.ts';
import type { Store } from '../store/store.ts';
import { ANYBODYS, type SweepAnswer, type SweepStep } from '../store/sweep.ts';

export interface SweepReport {
  /** Timers fired. */
  fired: number;
  /** Entries that expired leases gave back. */
  requeued: number;
  dead: number;
  /** What broke an invariant and was mended, or at least reported. */
  repaired: number;
}

export interface SweepResult {
  report: SweepReport;
  /** Work is ready for a drain. */
  ready: boolean;
  /** In how many ms the next timer is due; Infinity where there is none. */
  nextInMs: number;
  /** The epoch of the map of the shards that stands there, 0 where none does; not there where it was not asked for. */
  epoch?: number;
}

export interface SweepOptions {
  store: Store;
  budget: { isClosing(): boolean };
  /** Fires the schedules that are due; left out, they stay due. */
  fire?: FireDue | undefined;
  /** What is done when nothing more is due. @returns whether it did anything, so that another step is wanted */
  follow?: ((swept: SweepAnswer) => Promise<boolean>) | undefined;
}

/**
 * How often an idle sweep stores its instant, by which health checks see that cron runs: each time costs a command. A sweep that
 * rolls up counters stores it anyway. A tick comes each minute, so 9.5 minutes are every tenth.
 */
const NOTE_EVERY_MS = 570_000;

export class Sweeper {
  /** Where the next sweep goes on inspecting: that of a new isolate where the last that was noted stood, whoever made it. */
  #place = { cursor: ANYBODYS, round: 0 };
  /** When a sweep was last remembered, by the clock of this isolate. */
  #notedAt = Number.NEGATIVE_INFINITY;

  /** @throws StorageError */
  async sweep(sweep: SweepOptions): Promise<SweepResult> {
    const now = Date.now();
    const isNoteDue = now - this.#notedAt >= NOTE_EVERY_MS;
    const { first, ...swept } = await sweepAll(sweep, { ...this.#place, note: isNoteDue });
    if (isNoteDue) this.#notedAt = now - (first.now - first.notedAt);
    this.#place = { cursor: first.cursor, round: first.round };
    return first.registered === undefined ? swept : { ...swept, epoch: first.epoch ?? 0 };
  }
}

async function sweepAll(
  { store, budget, fire, follow }: SweepOptions,
  from: SweepStep,
): Promise<SweepResult & { first: SweepAnswer }> {
  const report: SweepReport = { fired: 0, requeued: 0, dead: 0, repaired: 0 };
  const first = await store.sweep(PUSH_POOL, from);
  let toFollow = follow;
  for (let swept = first; ; swept = await store.sweep(PUSH_POOL, { round: first.round })) {
    add(report, swept);
    const { schedules } = swept;
    const isLeftAlone = schedules !== undefined && !fire; // they come again in some seconds: nobody waits for that
    if (isLeftAlone) logWarning('schedules left alone', { schedules: schedules.length });
    else if (schedules) await fire?.(schedules, swept.now);
    const nextInMs = ((isLeftAlone ? undefined : swept.nextDue) ?? Number.POSITIVE_INFINITY) - swept.now;
    const hasFired = (swept.fired > 0 && nextInMs <= 0) || (schedules !== undefined && !isLeftAlone);
    let goesOn = hasFired || swept.rollupDue === true; // what was fired may be ready, or due soon again
    if (!goesOn && toFollow) {
      goesOn = await toFollow({ ...first, ...swept });
      toFollow = undefined;
    }
    if (!goesOn || budget.isClosing()) return { report, first, ready: swept.ready, nextInMs };
  }
}

function add(report: SweepReport, { fired, requeued, dead, findings }: SweepAnswer): void {
  report.fired += fired;
  report.requeued += requeued;
  report.dead += dead;
  report.repaired += findings.length;
  for (const { finding, name } of findings) logError('sweep repaired', { finding, name });
}
