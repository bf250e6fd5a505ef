// The least Worker: queues, enqueue, drain, sweep and receive.
import { createSluice, defineQueue } from 'sluice';
import { drain, leases, messages, sweep } from 'sluice/functions';

const mail = defineQueue('mail', { handler: () => {} });

export default createSluice({ queues: [mail], functions: [messages, leases, drain, sweep] });
