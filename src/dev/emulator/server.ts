/**
 * The Upstash REST API in front of any Redis, for local runs and tests.
 *
 * It behaves as the service does where that is known, errors above all. It is
 * not the service: no ACL, no replicas, no streaming paths, no resp2.
 */
import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { BadBody, commandInBody } from '../../redis-http/arguments.ts';
import { BackendDown, type Observation, openBackend } from './backend.ts';
import { mayWrite, nameOf, tooLarge } from './commands.ts';
import { type Answer, execute, failure, type Means, type Work } from './execution.ts';
import type { Faults } from './faults.ts';
import { createGate } from './limits.ts';
import { deliver, type Page, prepare } from './mishap.ts';
import type { Limits } from './plan.ts';
import type { Refuse } from './refusals.ts';
import { accessOf, isList, readBody, type Target, type Tokens, targetOf, workIn } from './request.ts';
import type { Usage } from './usage.ts';

export interface EmulatorOptions extends Tokens {
  /** redis://, rediss:// or redis+cluster://host:port,host:port */
  url: string;
  port?: number | undefined;
  host?: string | undefined;
  /** How often Redis has executed a billable command, and how much it holds, where INFO does not tell: the embedded one. */
  commandsProcessed?: (() => number) | undefined;
  bytesStored?: (() => number) | undefined;
  /** Told of each command in the order in which Redis executed them. */
  observe?: ((event: Observation) => void) | undefined;
  faults?: Faults | undefined;
  /** What storage refuses inside scripts: asked for each call of one. */
  refuse?: Refuse | undefined;
  /** Of a plan of the service. Default: of a request only. */
  limits?: Limits | undefined;
}

export interface Emulator {
  url: string;
  token: string;
  /** Commands the service would have billed so far. */
  billed(): Promise<number>;
  /** The same, and what is stored. */
  usage(): Promise<Usage>;
  /** Changes the limits that are named, from the next request on. */
  limit(changes: Limits): void;
  /** Commands that limits have refused, but for those inside scripts, and requests that had to wait. */
  met(): { refused: number; delayed: number };
  /** HTTP requests so far. */
  requests(): number;
  /** Takes it away, or gives it back: meanwhile each request ends without an answer, and nothing is executed. */
  setAway(isAway: boolean): void;
  /** What a POST of this JSON to / is answered, without HTTP and its faults. */
  answer(body: string): Promise<{ status: number; text: string }>;
  close(): Promise<void>;
}

/** Idle connections stay open far longer than a client keeps them: else one is closed just as it is used again. */
const KEEP_ALIVE_MS = 300_000;

const METHODS = new Set(['HEAD', 'GET', 'POST', 'PUT']);

const WRONG_TOKEN =
  'WRONGPASS invalid or missing auth token. ' +
  'See https://docs.upstash.com/redis/troubleshooting/http_unauthorized for details.';

const CORS = {
  'access-control-allow-origin': '*',
  'access-control-allow-methods': '*',
  'access-control-allow-headers': '*',
};

export async function startEmulator(options: EmulatorOptions): Promise<Emulator> {
  const { url, token, port = 0, host = '127.0.0.1', refuse, limits = {} } = options;
  const backend = await openBackend(url, options);
  const gate = createGate(backend, limits);
  const means = { backend, gate, refuse };
  const syncToken = createSyncToken();
  let requests = 0;
  let away = false;

  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) => {
    requests += 1;
    if (away) return void request.destroy();
    handle(request, response, { ...options, means, syncToken }).catch((error: unknown) => {
      if (!response.headersSent && !response.destroyed) send(response, pageFor(error), syncToken.current());
      else response.destroy();
    });
  });
  const address = await listen(server, port, host).catch(async (error: unknown) => {
    await backend.close();
    throw error;
  });

  return {
    url: `http://${host}:${address.port}`,
    token,
    billed: async () => (await backend.usage()).commands,
    usage: backend.usage,
    limit: gate.change,
    met: gate.met,
    requests: () => requests,
    setAway: (isAway) => {
      away = isAway;
    },
    answer: async (body) => {
      requests += 1;
      const work: Work = { shape: 'single', commands: [commandInBody(body)], readOnly: false, base64: false };
      const { status, body: text } = await execute(work, means);
      return { status, text };
    },
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections(); // else it would wait for the idle ones
      await closed;
      await backend.close();
    },
  };
}

interface Service extends Tokens {
  means: Means;
  syncToken: SyncToken;
  faults?: Faults | undefined;
}

async function handle(request: IncomingMessage, response: ServerResponse, service: Service): Promise<void> {
  const { means, syncToken, faults } = service;
  if (request.method === 'OPTIONS') return void response.writeHead(200, CORS).end();
  if (!METHODS.has(request.method ?? '')) return void response.writeHead(405).end();
  const work = await readWork(request, service);
  if ('status' in work) return send(response, work, syncToken.current());

  const fault = faults?.({ path: targetOf(request).path, commands: work.commands.map((words) => words.map(String)) });
  const instead = fault && (await prepare(fault, response, means.backend));
  if (instead === 'gone') return;
  if (instead) return send(response, instead, syncToken.current());
  if (work.commands.some((command) => mayWrite(nameOf(command)))) syncToken.advance();
  const answer = await execute(work, fault?.kind === 'refuse-inside' ? { ...means, refuse: () => fault } : means);
  const page = (replaced: Page) => send(response, replaced, syncToken.current());
  return fault ? deliver(fault, response, answer, page) : page(answer);
}

/** Either what to run, or the answer to a request that is not fit to run. */
async function readWork(request: IncomingMessage, service: Service): Promise<Work | Answer> {
  const target: Target = targetOf(request);
  const access = accessOf(request, target, service);
  const limit = service.means.gate.requestBytes();
  // A list has no limit of its own: each of its commands has.
  const { body, bytes } = await readBody(request, target, isList(target) ? Number.POSITIVE_INFINITY : limit);
  if (access === 'none') return failure(401, WRONG_TOKEN);
  if (body === undefined) return failure(413, tooLarge(limit, bytes));
  try {
    return workIn(request, target, body, access === 'read');
  } catch (error) {
    if (error instanceof BadBody) return failure(400, error.message);
    throw error;
  }
}

function send(response: ServerResponse, page: Page, syncToken: string): void {
  const { status, body, type = 'application/json', headers } = page;
  response
    .writeHead(status, {
      'content-type': type,
      'content-length': Buffer.byteLength(body),
      'access-control-allow-origin': '*',
      'upstash-sync-token': syncToken,
      ...headers,
    })
    .end(body);
}

/** The service documents no answer for its own trouble: a client must cope with a proxy's page. */
function pageFor(error: unknown): Page {
  const status = error instanceof BackendDown ? 503 : 500;
  return { status, type: 'text/html', body: `<html><body><h1>${status}</h1></body></html>` };
}

interface SyncToken {
  current(): string;
  advance(): void;
}

/** Opaque to clients. There is one Redis and nothing can lag behind, so what they send back is not read. */
function createSyncToken(): SyncToken {
  const instance = randomBytes(6).toString('hex');
  let writes = 0;
  return {
    current: () => `${instance}${writes}`,
    advance: () => {
      writes += 1;
    },
  };
}

function listen(server: Server, port: number, host: string): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve(server.address() as AddressInfo));
  });
}
