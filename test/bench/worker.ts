/** The Worker that is measured: the edge functions of the deployed one, with a queue whose handler does nothing but be seen. */

import { drain, messages } from '../../src/http/functions.ts';
import { route } from '../../src/http/route.ts';
import { createSluice, defineQueue, type HandlerContext } from '../../src/index.ts';

interface Env {
  OUTBOX: string;
}

let seen: number[] = [];

const work = defineQueue('work', {
  subrequests: 0,
  // No async function: as the library's, it has nothing to wait for, and a promise for each message costs 0.4 us.
  handler({ body }, { env }: HandlerContext<Env>) {
    const { n, report } = body as { n: number; report?: true };
    return report ? fetch(env.OUTBOX + n) : void seen.push(n);
  },
});

const witness = [
  route('GET /bench/seen', {}, (c) => seen.slice(Number(c.req.query('from')))),
  route('POST /bench/reset', {}, (c) => {
    seen = [];
    return c.body(null, 204);
  }),
];

export default createSluice<Env>({ queues: [work], functions: [messages, drain, witness] });
