// All that v1 has over HTTP, for one queue.
import { createSluice, defineQueue } from 'sluice';
import { api } from 'sluice/functions';

const mail = defineQueue('mail', { handler: () => {} });

export default createSluice({ queues: [mail], functions: api });
