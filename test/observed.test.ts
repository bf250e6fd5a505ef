// What the torture runs observe of scripts is what these did: the order in which messages were stored, above all.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newToken } from '../src/message/ids.ts';
import { connect } from '../src/redis/fetch.ts';
import { openShard } from '../src/redis/shard.ts';
import type { Settlement } from '../src/store/encode-settlements.ts';
import { openStore, type Store } from '../src/store/store.ts';
import { judge } from './chaos/checker.ts';
import { startHistory } from './chaos/history.ts';
import { keepLeaseBook } from './chaos/lease-book.ts';
import { prepareMessage } from './chaos/messages.ts';
import { openObserver } from './chaos/observed.ts';
import { type Redises, startEmbedded } from './support/bench.ts';

const QUEUE = 'torture.pull';

const history = startHistory();
const book = keepLeaseBook(history);
const observer = openObserver();
let redises: Redises;
let store: Store;
beforeAll(async () => {
  redises = await startEmbedded({
    observe: (observation) => {
      const seen = observer.see(observation);
      if (seen) book.see(seen);
    },
  });
  const { url, token } = redises.emulator;
  store = openStore(openShard({ send: connect({ url, token, timeoutMs: () => 5_000 }), prefix: 'observed' }));
});
afterAll(() => redises.stop());

const message = (key: string) => prepareMessage({ key, queue: QUEUE, priority: 5, delayMs: 0, maxAttempts: 3 });

test('what comes with the acks of one call is stored in the order in which these were taken, whatever the order of the call', async () => {
  const sync = (lease: string, want: number, settlements: Settlement[] = []) =>
    store.sync({ lease, leaseMs: 30_000, held: 0, want, pools: [QUEUE], settlements });
  await store.enqueue({ messages: [1, 2, 3].map((n) => message(`taken.${n}`)) });
  const { taken } = await sync('x', 3);
  const keys = ['taken.11', 'taken.12', 'taken.13'];
  const chained = keys.map((key) => ({ id: newToken(), ...message(key) }));
  const acks = taken.map(({ entry }, i) => ({ entry, outcome: 'ack' as const, chained: chained.slice(i, i + 1) }));
  await sync('x', 0, [...acks.slice(2), ...acks.slice(0, 2)]);
  const stored = history.events.findLast((event) => event.what === 'stored');
  expect(stored?.what === 'stored' && stored.messages.map(({ key }) => key)).toEqual(keys);
  const given = [...(await sync('y', 1)).taken, ...(await sync('z', 2)).taken];
  expect(given.map(({ entry }) => entry)).toEqual(chained.map(({ id }) => `1.${id}`));
  expect(judge(history.events).faults.orderViolations).toEqual([]);
});
