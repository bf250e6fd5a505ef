// The least Worker: queues, enqueue, drain, sweep and receive.
import { createSluice, defineQueue } from 'sluice';
import { drain, enqueue, enqueueBatch, receive, settle, sweep } from 'sluice/functions';

const mail = defineQueue('mail', { handler: () => {} });

export default createSluice({ queues: [mail], functions: [enqueue, enqueueBatch, receive, settle, drain, sweep] });
