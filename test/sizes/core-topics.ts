// The least Worker with topics over HTTP.
import { createSluice, defineQueue } from 'sluice';
import { drain, enqueue, enqueueBatch, receive, settle, sweep, topics } from 'sluice/functions';

const mail = defineQueue('mail', { handler: () => {} });

export default createSluice({
  queues: [mail],
  functions: [enqueue, enqueueBatch, receive, settle, drain, sweep, topics],
});
