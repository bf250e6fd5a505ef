// A queue of each kind that there is, for sources to reach.
import { type AnyQueue, defineQueue, type Handler, type RouteTarget, rawBytes } from '../../src/index.ts';

/** Stands for the receiver of the test: it puts its own address here. */
export const RELAY = 'https://relay.example';

/** Says what it got, and when it begins and ends. */
const say: Handler<unknown> = async ({ queue, id, raw }) => {
  console.log(`begin ${queue} ${id} ${raw && rawBytes(raw).toString()}`);
  await scheduler.wait(20);
  console.log(`end ${queue} ${id}`);
};

/** Each with what a route has to say besides its name. */
export const QUEUES = {
  push: [defineQueue('push', { handler: say, subrequests: 0 })],
  pull: [defineQueue('pull', { kind: 'pull' })],
  relay: [defineQueue('relay', { destination: { url: `${RELAY}/relay`, secrets: ['RELAY_SECRET'] } })],
  named: [
    defineQueue('named', { destination: { secrets: ['RELAY_SECRET'] } }),
    { destination: { url: `${RELAY}/named`, headers: { authorization: 'Bearer of the route' } } },
  ],
  ordered: [defineQueue('ordered', { handler: say, subrequests: 0, ordered: true, priority: 3 }), { group: 'one' }],
  limited: [defineQueue('limited', { handler: say, subrequests: 0, limits: { concurrency: 1 } })],
  deduped: [defineQueue('deduped', { kind: 'pull', dedup: { mode: 'replace', window: '1h', release: true } })],
} satisfies Record<string, [AnyQueue, Omit<RouteTarget, 'queue'>?]>;
