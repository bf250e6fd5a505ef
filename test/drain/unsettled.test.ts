// What a drain handled and could not settle, because the platform let it ask for nothing more: its isolate settles that first.
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { Fault } from '../../src/dev/emulator/faults.ts';
import { StorageError } from '../../src/errors.ts';
import { defineQueue } from '../../src/index.ts';
import type { Connection, Send } from '../../src/redis/send.ts';
import { Invocation } from '../../src/runtime/invocation.ts';
import { acked, drainFor, engineOn, enqueueNow } from '../regressions/engines.ts';
import { Bench, type Redises, startServer } from '../support/bench.ts';

/** Of this process: the platform refuses whatever it asks of storage. */
const platform = vi.hoisted(() => ({ refuses: false }));
vi.mock('../../src/redis/fetch.ts', async (original) => {
  const { connect } = await original<{ connect(connection: Connection): Send }>();
  return {
    connect(connection: Connection): Send {
      const send = connect(connection);
      return async (command) => {
        if (platform.refuses) throw new StorageError('subrequests', 'this invocation may make no more');
        return send(command);
      };
    },
  };
});

let redises: Redises;
let fault: Fault | undefined;
/** Of the next requests, one each. */
const faults: Fault[] = [];
beforeAll(async () => {
  redises = await startServer({ faults: () => fault ?? faults.shift() });
}, 60_000);
afterAll(() => redises.stop());

test('is settled by the next drain, and where storage refuses a part by the one after it: no handler runs twice', async () => {
  const error = vi.spyOn(console, 'error').mockImplementation(() => {});
  const b = new Bench(redises);
  const seen: string[] = [];
  const next = defineQueue('next', { kind: 'pull' });
  const jobs = defineQueue('jobs', {
    async handler({ id }, { enqueue }) {
      seen.push(id);
      await enqueue(next, id);
      platform.refuses = true;
    },
  });
  const engine = engineOn(b, [jobs, next], { SLUICE_LEASE_MS: 60_000 });
  const { ids } = await enqueueNow(b, b.message('jobs', 1));
  expect(await drainFor(engine, 5_000)).toMatchObject({ delivered: 1, acked: 0, ended: 'subrequests' });
  platform.refuses = false;
  fault = { kind: 'refuse-inside', from: 1, times: Number.POSITIVE_INFINITY };
  await drainFor(engine, 1_000).catch(() => {});
  expect(Object.keys((await b.shard()).leases)).toHaveLength(1); // storage is full
  fault = undefined;
  await drainFor(engine, 1_000);
  const { leases, lanes } = await b.shard();
  expect([leases, Object.values(lanes).flat().length, seen]).toEqual([{}, 1, ids]);
  acked(b, ids);
  error.mockRestore();
});

test('what a look has taken whose answer was lost, as storage went away, the same drain has when storage is back', async () => {
  const error = vi.spyOn(console, 'error').mockImplementation(() => {});
  const b = new Bench(redises);
  const attempts: number[] = [];
  const jobs = defineQueue('jobs', { handler: ({ attempt }) => void attempts.push(attempt) });
  const { waking } = engineOn(b, [jobs], { SLUICE_LEASE_MS: 60_000 }).parts;
  await waking.drain(new Invocation()); // loads the script
  const { ids } = await enqueueNow(b, b.message('jobs', 1));
  faults.push({ kind: 'drop-reply' }, { kind: 'reset' }, { kind: 'reset' }, { kind: 'reset' });
  expect(await waking.drain(new Invocation())).toMatchObject({ delivered: 1, acked: 1 });
  expect([attempts, faults]).toEqual([[1], []]);
  acked(b, ids);
  error.mockRestore();
});
