// A Worker with a thousand queues beside `reports`: all of them for consumers elsewhere, so each has an index of its own.
import { enqueue } from '../../src/http/v1/enqueue.ts';
import { health } from '../../src/http/v1/health.ts';
import { inspect } from '../../src/http/v1/inspect.ts';
import { operate } from '../../src/http/v1/operate.ts';
import { session } from '../../src/http/v1/session.ts';
import { createSluice, defineQueue } from '../../src/index.ts';

const queues = Array.from({ length: 1_000 }, (_, i) =>
  defineQueue(`queue.${String(i).padStart(4, '0')}`, { kind: 'pull' }),
);

export default createSluice({
  queues: [...queues, defineQueue('reports', { kind: 'pull' })],
  functions: [enqueue, operate, inspect, health, session],
});
