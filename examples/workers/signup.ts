/** One more use: a Worker with a page of its own, which enqueues without a request, and serves Sluice beside it. */
import { sluice, welcomeEmail } from './sluice.ts';

type Env = Record<string, string>;

export default {
  async fetch(request: Request, env: Env, context: ExecutionContext): Promise<Response> {
    if (new URL(request.url).pathname !== '/signup') return sluice.fetch(request, env, context);
    const { email } = await request.json<{ email: string }>();
    // With the context it wakes a drain behind the answer: the mail is on its way within milliseconds.
    const { id } = await sluice.producer(env, context).enqueue(welcomeEmail, { to: email });
    return Response.json({ id }, { status: 202 });
  },
  scheduled: sluice.scheduled,
};
