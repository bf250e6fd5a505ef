// A Worker with a thousand queues beside `reports`: all of them for consumers elsewhere, so each has an index of its own.
import { enqueue } from '../../functions/enqueue.ts';
import { health } from '../../functions/health.ts';
import { inspect } from '../../functions/inspect.ts';
import { operate } from '../../functions/operate.ts';
import { session } from '../../functions/session.ts';
import { createSluice, defineQueue } from '../../src/index.ts';

const queues = Array.from({ length: 1_000 }, (_, i) =>
  defineQueue(`queue.${String(i).padStart(4, '0')}`, { kind: 'pull' }),
);

export default createSluice({
  queues: [...queues, defineQueue('reports', { kind: 'pull' })],
  functions: [enqueue, operate, inspect, health, session],
});
