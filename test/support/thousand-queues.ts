// A Worker with a thousand queues beside `reports`: all of them for consumers elsewhere, so each has an index of its own.
import { api } from '../../src/http/functions.ts';
import { createSluice, defineQueue } from '../../src/index.ts';

const queues = Array.from({ length: 1_000 }, (_, i) =>
  defineQueue(`queue.${String(i).padStart(4, '0')}`, { kind: 'pull' }),
);

export default createSluice({
  queues: [...queues, defineQueue('reports', { kind: 'pull' })],
  functions: api,
});
