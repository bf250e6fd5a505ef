/** One more use, by `bun app.ts`: an application with routes of its own serves Sluice beside them, and enqueues without a request. */
import { run } from 'sluice/bun';
import { sluice, welcomeEmail } from './sluice.ts';

const stopping = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort());

// Before the first message, so that it is woken by it. When it has stopped, so does the process.
run(sluice, { signal: stopping.signal }).then(() => process.exit());

export default {
  port: Number(process.env.PORT ?? 3_000),
  async fetch(request: Request): Promise<Response> {
    if (new URL(request.url).pathname !== '/signup') return sluice.fetch(request);
    const { email } = (await request.json()) as { email: string };
    const { id } = await sluice.producer().enqueue(welcomeEmail, { to: email });
    return Response.json({ id }, { status: 202 });
  },
};
