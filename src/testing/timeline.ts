/** The timeline of a test: what is ready is handled, and the time goes on from one instant at which something is due to the next. */
import { Sweeper } from '../broker/sweeper.ts';
import type { Life } from '../drain/life.ts';
import type { Attention, DrainOptions, DrainReport } from '../drain/report.ts';
import { ROUNDING_MS } from '../drain/syncs.ts';
import type { Tick } from '../engine/sweeps.ts';
import type { Engine } from '../engine.ts';
import { Invocation } from '../runtime/invocation.ts';
import type { Failure } from '../store/failure.ts';
import type { TestClock } from './clock.ts';
import type { ServerClock } from './server-clock.ts';

/** A delivery that failed. */
export interface FailedDelivery extends Pick<Failure, 'kind' | 'text'> {
  id: string;
  queue: string;
  body: unknown;
  attempt: number;
}

/** What became of messages. */
export interface DrainSummary {
  /** How often a handler was called. */
  delivered: number;
  acked: number;
  /** Deliveries after which there will be another. */
  retried: number;
  dead: number;
  /** The deliveries that failed, in their order. */
  failed: FailedDelivery[];
}

export interface Timeline {
  /** Does what the first tick of a deployment does: its schedules count from now on. */
  begin(): Promise<void>;
  /** A tick that waits for nothing that is due later. */
  tick(): Promise<Tick>;
  drain(): Promise<DrainSummary>;
  advance(ms: number): Promise<DrainSummary>;
  /** Has drains at work end, whatever their handlers do: the time of these is over. */
  end(): void;
}

/**
 * In a time that stands still a life of 1 ms is over only when the time is put forward; and a drain that lives no longer sleeps for
 * nothing that is due later. What it has started may take as long as it likes.
 */
const LIFE: Life = { takesMs: 1, livesMs: 3_600_000, settlesMs: 1_000 };
const ENDLESS = { isClosing: () => false };

export function openTimeline({ parts, shard, store }: Engine, clock: TestClock, server: ServerClock): Timeline {
  const sweeper = new Sweeper();
  const [fire, follow] = [parts.fireOn(shard, false), parts.followOn(shard)];
  /** Of the drains at work: one whose handler hangs has to see that the time has been put forward. */
  const attentions = new Set<Attention>();
  let isOver = false;

  /** What a tick does before it drains. */
  const sweep = () => {
    server.jump();
    return sweeper.sweep({ store, budget: ENDLESS, fire, follow });
  };

  /** @returns its report, and in how many ms the next timer is due */
  async function drainOnce(summary: DrainSummary): Promise<[DrainReport, number]> {
    const attention: Attention = { asked: false };
    const invocation = new Invocation();
    let dueInMs = Number.POSITIVE_INFINITY;
    const options = {
      onFailure: noteFailure(summary),
      onDue(inMs: number) {
        dueInMs = inMs - ROUNDING_MS;
      },
      random: () => 0, // retries come after exactly the backoff that is written
    };
    attentions.add(attention);
    server.jump();
    const budget = parts.capacity.budget(LIFE, invocation);
    const report = await parts.drains.run(budget, attention, options).finally(() => attentions.delete(attention));
    for (const outcome of OUTCOMES) summary[outcome] += report[outcome];
    checkEnd(invocation.deliveries, parts.config.SLUICE_DRAIN_MESSAGES);
    return [report, report.ended === 'idle' ? dueInMs : 0];
  }

  /** Until nothing is due and nothing is ready. @returns in how many ms the next timer is due */
  async function settle(summary: DrainSummary): Promise<number> {
    for (;;) {
      const [, dueInMs] = await drainOnce(summary);
      if (dueInMs > 0 || isOver) return dueInMs;
      await sweep();
    }
  }

  function putForward(at: number): void {
    clock.set(at);
    for (const { look } of attentions) look?.();
  }

  return {
    async begin() {
      await sweep();
    },
    tick: () =>
      clock.run(async () => {
        const { report } = await sweep();
        const [drain] = await drainOnce(newSummary());
        return { sweep: report, drain };
      }),
    async drain() {
      const summary = newSummary();
      await sweep();
      await settle(summary);
      return summary;
    },
    async advance(ms) {
      const until = clock.now() + ms;
      const summary = newSummary();
      await sweep();
      for (;;) {
        const nextAt = clock.now() + (await settle(summary));
        if (nextAt > until || isOver) break;
        putForward(nextAt);
      }
      putForward(until);
      return summary;
    },
    end() {
      isOver = true;
      if (attentions.size > 0) putForward(clock.now() + LIFE.livesMs);
    },
  };
}

const OUTCOMES = ['delivered', 'acked', 'retried', 'dead'] as const;

const newSummary = (): DrainSummary => ({ delivered: 0, acked: 0, retried: 0, dead: 0, failed: [] });

function noteFailure(summary: DrainSummary): DrainOptions['onFailure'] {
  return ({ id, queue, body, attempt }, { failure }) => {
    if (failure) summary.failed.push({ id, queue, body, attempt, kind: failure.kind, text: failure.text });
  };
}

/** @throws Error where there is no end to it */
function checkEnd(deliveries: number, most: number): void {
  if (deliveries < most) return;
  throw new Error(`${most} messages were handled at one instant: a handler enqueues to itself without a delay`);
}
