// A Worker whose own code enqueues, beside the API: its queues make as many subrequests as they say, or more.
import { api } from '../../src/http/functions.ts';
import { createSluice, defineQueue, type Message } from '../../src/index.ts';

interface Env {
  OUTBOX_URL: string;
}

/** Tells the receiver so often, one time after the other, with a pause between. */
const telling =
  (times: number, pauseMs = 0) =>
  async ({ id, queue }: Message<unknown>, { env }: { env: unknown }) => {
    for (let body = 1; body <= times; body++) {
      if (body > 1 && pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
      const told = await fetch((env as Env).OUTBOX_URL, { method: 'POST', body: JSON.stringify({ queue, id, body }) });
      await told.body?.cancel();
    }
  };

const queues = {
  honest: defineQueue('honest', { handler: telling(1) }),
  hungry: defineQueue('hungry', { handler: telling(3), backoff: { waitMs: () => 0 } }),
  endless: defineQueue('endless', { handler: telling(60), attempts: 2, backoff: { waitMs: () => 0 } }),
  slow: defineQueue('slow', { handler: telling(2, 1_000), subrequests: 2 }),
  pulled: defineQueue('pulled', { kind: 'pull' }),
};

const sluice = createSluice<Env>({
  queues: Object.values(queues),
  functions: api,
});

export default {
  async fetch(request, env, context) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname !== '/produce') return sluice.fetch(request, env, context);
    const producer = sluice.producer(env, context);
    const ids: string[] = [];
    for (let i = 0; i < Number(searchParams.get('count')); i++) {
      ids.push((await producer.enqueue(queues.honest, { i })).id);
      await new Promise((resolve) => setTimeout(resolve, 10)); // as if it looked elsewhere for the next
    }
    return Response.json(ids);
  },
  scheduled: (controller, env, context) => sluice.scheduled(controller, env, context),
} satisfies ExportedHandler<Env>;
