// The least Worker with rings over HTTP.
import { createSluice, defineQueue } from 'sluice';
import { drain, enqueue, enqueueBatch, receive, rings, settle, sweep } from 'sluice/functions';

const mail = defineQueue('mail', { handler: () => {} });

export default createSluice({
  queues: [mail],
  functions: [enqueue, enqueueBatch, receive, settle, drain, sweep, rings],
});
