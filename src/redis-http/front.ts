/**
 * A Redis, a primary with its replicas, or a cluster, over HTTP: the part of Upstash's REST API that its client and Sluice use, for
 * production. It keeps nothing that a client needs again, so that several of them may stand behind one address.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { Address } from './address.ts';
import { judgeBy } from './allowed.ts';
import { BadBody } from './arguments.ts';
import { cutLater, readBody } from './body.ts';
import { BackendDown } from './connection.ts';
import { createMetrics } from './metrics.ts';
import { openConnection } from './open.ts';
import { type Answer, failure, type Means, RUN } from './run.ts';
import type { Knows } from './tokens.ts';
import { type Reach, startWatch } from './watch.ts';

export interface FrontOptions {
  address: Address;
  knows: Knows;
  port: number;
  host: string;
  /** Of a body. */
  maxBytes: number;
  /** Of a request. */
  maxCommands: number;
  /** Requests at once; more are told to come back. */
  concurrency: number;
  /** For Redis to answer. */
  timeoutMs: number;
  /** Commands that are allowed besides those that read and write data. */
  allow: readonly string[];
  /** Told of what should not happen: an error in this program. */
  onError: (error: unknown) => void;
}

export interface Front {
  url: string;
  reach(): Reach;
  /** Accepts nothing more, and ends what is under way, but not later than this. @returns how many requests that cut off */
  close(graceMs: number): Promise<number>;
}

/** Idle connections stay open longer than those who keep them for reuse do: else one is closed just as it is used again. */
const KEEP_ALIVE_MS = 300_000;
/** For the head of a request, and for all of it. */
const HEAD_MS = 10_000;
const REQUEST_MS = 30_000;

/** For the count of what nobody waited for to its end. */
const GONE = 499;

/** So long Redis is waited for before anything is answered. */
const FIRST_MS = 1_000;

const SOON = { 'retry-after': '1' };
const WRONG_TOKEN = 'WRONGPASS invalid or missing auth token';

/** A Redis that is away is waited for: until it is there, requests are answered so. @throws RangeError; Error where the port is taken */
export async function startFront(options: FrontOptions): Promise<Front> {
  const { address, port, host, timeoutMs } = options;
  const isCluster = address.kind === 'cluster';
  const judge = judgeBy(options.allow, isCluster);
  const { connection, connected } = openConnection(address);
  // It goes on trying: those who ask sentinels hear nothing until one answers.
  await Promise.race([connected.catch(() => {}), pause(FIRST_MS, undefined, { ref: false })]);
  const watch = await startWatch(connection, isCluster, timeoutMs);
  const metrics = createMetrics();
  const means = { connection, judge, maxCommands: options.maxCommands, noteCommands: metrics.noteCommands };
  const state: State = { ...options, means, inFlight: 0, isStopping: false };

  const pages: Record<string, () => Answer> = {
    '/health': () => health(watch.reach(), state.isStopping),
    '/metrics': () => ({
      status: 200,
      body: metrics.text({ inFlight: state.inFlight, reach: watch.reach() }),
      headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' },
    }),
  };

  const server = createServer({
    keepAliveTimeout: KEEP_ALIVE_MS,
    headersTimeout: HEAD_MS,
    requestTimeout: REQUEST_MS,
    connectionsCheckingInterval: 1_000,
  });
  server.on('request', async (request, response) => {
    const startedAt = performance.now();
    const path = (request.url ?? '/').replace(/\?.*/, '');
    state.inFlight += 1;
    const answer = await answerTo(request, path, pages[path], state).catch((error: unknown) => {
      if (!request.destroyed) options.onError(error);
      return failure(request.destroyed ? GONE : 500, 'ERR internal error');
    });
    state.inFlight -= 1;
    if (RUN[path]) metrics.noteRequest(answer.status, (performance.now() - startedAt) / 1_000);
    send(request, response, answer, state.isStopping);
    response.once('close', () => state.isStopping && server.closeIdleConnections());
  });
  const end = () => {
    watch.stop();
    connection.close();
  };
  try {
    server.listen(port, host);
    await once(server, 'listening');
  } catch (error) {
    end();
    throw error;
  }
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${(server.address() as AddressInfo).port}`,
    reach: watch.reach,
    async close(graceMs) {
      state.isStopping = true;
      const closed = once(server, 'close');
      server.close();
      let cutOff = 0;
      const late = setTimeout(() => {
        cutOff = state.inFlight;
        server.closeAllConnections();
      }, graceMs);
      await closed;
      clearTimeout(late);
      end();
      return cutOff;
    },
  };
}

interface State extends Pick<FrontOptions, 'knows' | 'maxBytes' | 'concurrency' | 'timeoutMs'> {
  means: Means;
  /** This one among them. */
  inFlight: number;
  isStopping: boolean;
}

/** Whoever has no token is told so before anything of the body is read. */
async function answerTo(
  request: IncomingMessage,
  path: string,
  page: (() => Answer) | undefined,
  { knows, maxBytes, concurrency, timeoutMs, means, inFlight }: State,
): Promise<Answer> {
  const isRead = request.method === 'GET' || request.method === 'HEAD';
  if (page && path === '/health') return isRead ? page() : failure(405, 'ERR GET only');
  if (!knows(request.headers.authorization)) return failure(401, WRONG_TOKEN);
  if (page) return isRead ? page() : failure(405, 'ERR GET only');
  const run = RUN[path];
  if (!run) return failure(404, 'ERR commands go to /, /pipeline or /multi-exec, as JSON in a POST');
  if (request.method !== 'POST') return failure(405, 'ERR POST only');
  if (inFlight > concurrency) return failure(429, `ERR more than ${concurrency} requests at once`, SOON);
  const body = await readBody(request, maxBytes);
  if (body === undefined) return failure(413, `ERR max request size exceeded. Limit: ${maxBytes} bytes`);
  try {
    return await within(timeoutMs, run(body, request.headers['upstash-encoding'] === 'base64', means));
  } catch (error) {
    if (error instanceof BadBody) return failure(400, error.message);
    if (error instanceof BackendDown) return failure(503, 'ERR redis is away: the commands may have run', SOON);
    throw error;
  }
}

/** What Redis has been sent it may still do: that nobody waits for it any more does not take it back. */
function within(ms: number, answer: Promise<Answer>): Promise<Answer> {
  const { promise: late, resolve } = Promise.withResolvers<Answer>();
  const timer = setTimeout(resolve, ms, failure(504, 'ERR no answer of redis in time: the commands may have run'));
  return Promise.race([answer, late]).finally(() => clearTimeout(timer));
}

/** Where some masters answer the others' data is away, but this front is as good as any. */
function health({ up, masters }: Reach, isStopping: boolean): Answer {
  const reached = up >= masters ? 'ok' : up > 0 ? 'degraded' : 'unreachable';
  const status = isStopping ? 'stopping' : reached;
  return { status: status === 'ok' || status === 'degraded' ? 200 : 503, body: JSON.stringify({ status }) };
}

function send(request: IncomingMessage, response: ServerResponse, answer: Answer, isStopping: boolean): void {
  const isUnread = !request.complete;
  response
    .writeHead(answer.status, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(answer.body),
      'cache-control': 'no-store',
      ...(isStopping || isUnread ? { connection: 'close' } : {}),
      ...answer.headers,
    })
    .end(request.method === 'HEAD' ? undefined : answer.body);
  if (isUnread) cutLater(request);
}
