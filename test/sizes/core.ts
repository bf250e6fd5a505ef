// The least Worker: queues, enqueue, drain, sweep and receive.
import { drain } from '../../src/http/v1/drain.ts';
import { enqueue } from '../../src/http/v1/enqueue.ts';
import { receive } from '../../src/http/v1/receive.ts';
import { sweep } from '../../src/http/v1/sweep.ts';
import { createSluice, defineQueue } from '../../src/index.ts';

const mail = defineQueue('mail', { handler: () => {} });

export default createSluice({ queues: [mail], functions: [enqueue, receive, drain, sweep] });
