// The least Worker with rings over HTTP.
import { createSluice, defineQueue } from 'sluice';
import { drain, leases, messages, rings, sweep } from 'sluice/functions';

const mail = defineQueue('mail', { handler: () => {} });

export default createSluice({ queues: [mail], functions: [messages, leases, drain, sweep, rings] });
