// Workers that fire schedules on the shard of a bench, by its clock, and what they made.
import type { AnyQueue } from '../../src/index.ts';
import { PUSH_POOL } from '../../src/message/lane.ts';
import type { Runner } from '../../src/redis/runner.ts';
import { openSchedules, type Schedules } from '../../src/schedules/admin.ts';
import { type Definitions, fireSchedules } from '../../src/schedules/fire.ts';
import { registrar } from '../../src/schedules/register.ts';
import type { Schedule } from '../../src/schedules/schedule.ts';
import { openScheduleStore, type ScheduleStore } from '../../src/schedules/store.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { ANYBODYS, type SweepAnswer, type SweepStep } from '../../src/store/sweep.ts';
import type { Bench } from './bench.ts';

export interface TestWorker {
  known: Definitions;
  store: ScheduleStore;
  /** Hands out what is due, and fires nothing. */
  plain: Store;
  admin: Schedules;
  /** As a cron tick of a new isolate: sweeps until nothing is due, and registers what the code has. */
  tick(): Promise<void>;
}

export interface TestWorkerOptions {
  queues: AnyQueue[];
  /** Those of its code. */
  schedules?: Schedule[];
  runner?: Runner;
  clock?: () => number;
}

export function workerOn(bench: Bench, options: TestWorkerOptions): TestWorker {
  const { queues, schedules = [], runner = bench.runner(), clock = () => bench.now } = options;
  const shard = bench.opened(runner, clock);
  const known = {
    queues: new Map(queues.map((queue) => [queue.name, queue])),
    ids: new Set(schedules.map(({ id }) => id)),
  };
  const store = openScheduleStore(shard);
  const plain = openStore(shard);
  const sweep = async (step?: SweepStep) => {
    const swept = await plain.sweep(PUSH_POOL, step);
    if (swept.schedules) await fireSchedules(store, known, swept.schedules, swept.now);
    return swept;
  };
  return {
    known,
    store,
    plain,
    admin: openSchedules(store, known),
    async tick() {
      const register = registrar(schedules, known);
      const first = await sweep({ cursor: ANYBODYS });
      const sweepAfter = async (earlier: SweepAnswer) => {
        let swept = earlier;
        while (swept.schedules || swept.fired > 0) swept = await sweep();
        return swept;
      };
      const swept = await sweepAfter(first);
      if (await register(store, { ...first, ...swept })) await sweepAfter(await sweep());
    },
  };
}

export interface Fired {
  id: string;
  schedule: string;
  occurrence: number;
  body: unknown;
}

/** What occurrences have made, in the order of occurrences; from then on the bench expects these messages to be there. */
export async function firedOn(bench: Bench): Promise<Fired[]> {
  const { envelopes } = await bench.shard();
  const fired = Object.entries(envelopes).map(([id, envelope]) => {
    const { body, headers } = JSON.parse(envelope.slice(envelope.indexOf('\n') + 1));
    bench.alive.add(id);
    return { id, body, schedule: headers['sluice-schedule'], occurrence: Number(headers['sluice-occurrence']) };
  });
  return fired.toSorted((a, b) => a.occurrence - b.occurrence || (a.schedule < b.schedule ? -1 : 1));
}

export const allow = () => {};

/** The process is gone: nothing after this line runs. */
export class Killed extends Error {}

/** Dies at its nth call of a script, before the script runs or after it has. */
export function dyingRunner(runner: Runner, at: number, when: 'before' | 'after'): Runner {
  let calls = 0;
  return {
    async run(...call) {
      calls += 1;
      if (calls === at && when === 'before') throw new Killed();
      const answer = await runner.run(...call);
      if (calls === at) throw new Killed();
      return answer;
    },
  };
}

/** Each answer is lost once and each call sent again. */
export function losingRunner(runner: Runner): Runner {
  return {
    async run(...call) {
      await runner.run(...call);
      return { ...(await runner.run(...call)), retried: true };
    },
  };
}
