// A Worker with a queue of each kind, and sources that reach each of them: as their queue, by a function, and several at once.
import { api } from '../../src/http/functions.ts';
import { type AnyQueue, createSluice, defineQueue, defineSource, type RouteTarget } from '../../src/index.ts';
import { github as provider } from '../../src/webhooks/providers.ts';
import { QUEUES, RELAY } from './pairs-queues.ts';

const targets = Object.values(QUEUES).map(([queue, options]: [AnyQueue, Omit<RouteTarget, 'queue'>?]): RouteTarget => {
  return { queue, ...options };
});

const github = (name: string, route: AnyQueue | (() => RouteTarget | RouteTarget[])) =>
  defineSource(name, { provider, secret: 'GITHUB_WEBHOOK_SECRET', route });

export default createSluice({
  queues: targets.map(({ queue }) => queue),
  sources: [
    // What a route has to name it cannot be without.
    ...targets.flatMap(({ queue, ...rest }) => (rest.destination ? [] : [github(`all-${queue.name}`, queue)])),
    ...targets.map((target) => github(`by-${target.queue.name}`, () => target)),
    github('everywhere', () => targets),
    github('hurried', () => [{ queue: QUEUES.pull[0] }, { queue: QUEUES.ordered[0], priority: 0 }]),
    github('lost', () => [{ queue: QUEUES.pull[0] }, { queue: QUEUES.named[0] }]),
    github('redirected', () => ({ queue: QUEUES.relay[0], destination: `${RELAY}/elsewhere` })),
    // Another definition of the same name: the deployment's is meant.
    github('namesake', () => ({ queue: defineQueue('relay', { kind: 'pull' }) })),
  ],
  functions: api,
});
