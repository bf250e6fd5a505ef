// Stands for the platform: the functions of api/ behind one server, each request with a waitUntil where @vercel/functions looks for it.
import { AsyncLocalStorage } from 'node:async_hooks';
import { createServer } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { GET as cron } from './api/cron.js';
import api from './api/index.js';

const requests = new AsyncLocalStorage();
globalThis[Symbol.for('@vercel/request-context')] = { get: () => requests.getStore() };

/** Behind the answer, as on the platform: what fails there is in the log, and ends nothing. */
const waitUntil = (promise) => void promise.catch((error) => console.error(error));

async function toRequest(incoming) {
  const { method, url, headers } = incoming;
  const body = method === 'GET' || method === 'HEAD' ? undefined : await buffer(incoming);
  return new Request(`http://${headers.host}${url}`, { method, headers, body });
}

createServer(async (incoming, outgoing) => {
  const request = await toRequest(incoming);
  const answer = incoming.url.startsWith('/api/cron') ? cron : api.fetch;
  const response = await requests.run({ waitUntil }, () => answer(request));
  outgoing.writeHead(response.status, Object.fromEntries(response.headers)).end(await response.text());
}).listen(Number(process.env.PORT), '127.0.0.1');
