/** One more use: an application with a server of its own serves Sluice beside its routes, and enqueues without a request. */
import { createServer } from 'node:http';
import { json } from 'node:stream/consumers';
import { run, toListener } from 'sluice/node';
import { sluice, welcomeEmail } from './sluice.ts';

const stopping = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort());

const running = run(sluice, { signal: stopping.signal }); // before the first message, so that it is woken by it
const listener = toListener(sluice);

const server = createServer(async (request, response) => {
  if (request.url !== '/signup') return listener(request, response);
  try {
    const { email } = (await json(request)) as { email: string };
    const { id } = await sluice.producer().enqueue(welcomeEmail, { to: email });
    response.writeHead(202, { 'content-type': 'application/json' }).end(JSON.stringify({ id }));
  } catch (error) {
    console.error(error); // no JSON, a caller that has left, or no storage: what is thrown here would end the process
    response.writeHead(500).end();
  }
});

server.listen(Number(process.env.PORT ?? 3_000));
await running;
server.close();
