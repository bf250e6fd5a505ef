// The least Worker with topics over HTTP.
import { createSluice, defineQueue } from 'sluice';
import { drain, leases, messages, sweep, topics } from 'sluice/functions';

const mail = defineQueue('mail', { handler: () => {} });

export default createSluice({ queues: [mail], functions: [messages, leases, drain, sweep, topics] });
