/** Sluice as a function of AWS Lambda: requests of an HTTP API or a function URL, and ticks of an EventBridge schedule. */
import { Buffer, isUtf8 } from 'node:buffer';
import type { Tick } from '../engine/sweeps.ts';
import { openFloating } from '../runtime/floating.ts';
import type { Sluice } from '../sluice.ts';
import { holdEnvironment } from './environment.ts';
import { moveFrom } from './mount.ts';

/**
 * An HTTP API gives a caller up after 30 s, and whoever enqueues waits for the drain that he wakes: it ends after 20 s. A tick with queues
 * of the default timeout ends after 38 s: the function's own timeout has to be longer. An instance has one event at a time, and
 * handlers mostly wait for others: ten at once.
 */
const DEFAULTS = {
  SLUICE_DRAIN_MS: '30000',
  SLUICE_WOKEN_MS: '20000',
  SLUICE_CONCURRENCY: '10',
};

export interface LambdaOptions<Env extends object> {
  /** Default: the environment of the process. */
  env?: Env;
  /**
   * Lambda stops an instance that has answered. `'await'`: the answer to whoever enqueues waits for the drain that he wakes. `'none'`: it
   * wakes none, and messages wait for the schedule's tick. Default: `'await'`.
   */
  wake?: 'await' | 'none';
  /** The path below which it is served, such as `/sluice` or that of a stage, without a slash at its end. What is not below it is taken as it is. */
  basePath?: string;
}

/** A request in the payload format 2.0, as much as is read of it. */
export interface HttpEvent {
  version: string;
  rawPath: string;
  rawQueryString: string;
  headers: Record<string, string | undefined>;
  cookies?: string[] | undefined;
  body?: string | undefined;
  isBase64Encoded: boolean;
  requestContext: { domainName: string; http: { method: string; sourceIp: string } };
}

export interface ScheduledEvent {
  'detail-type': string;
}

export interface HttpAnswer {
  statusCode: number;
  headers: Record<string, string>;
  cookies: string[];
  body: string;
  isBase64Encoded: boolean;
}

/**
 * Makes the handler of a function, for both kinds of events. A tick does not wait for what is due later: time is billed.
 * @throws Error for an event that is neither
 * @example export const handler = serve(sluice)
 */
export function serve<Env extends object>(
  sluice: Sluice<Env>,
  { env, wake = 'await', basePath = '' }: LambdaOptions<Env> = {},
): (event: HttpEvent | ScheduledEvent) => Promise<HttpAnswer | Tick> {
  const environment = holdEnvironment(DEFAULTS, env);
  return async (event) => {
    const { waitUntil, settled } = openFloating();
    const context = { waitUntil, sleepsMs: 0, wakes: wake === 'await' };
    try {
      if (isSchedule(event)) return await sluice.tick(environment(), { wait: false, context });
      if (event.version !== '2.0') throw new Error('neither a request in the payload format 2.0 nor a schedule');
      const clientAddress = event.requestContext.http.sourceIp;
      const request = toRequest(event);
      if (!request) return await toAnswer(new Response(null, { status: 400 }));
      const moved = moveFrom(basePath, request);
      return await toAnswer(await sluice.fetch(moved, environment(), { ...context, clientAddress }));
    } finally {
      await settled(); // what still runs when it has answered would stop, and go on with the next event
    }
  };
}

const isSchedule = (event: HttpEvent | ScheduledEvent): event is ScheduledEvent =>
  'detail-type' in event && event['detail-type'] === 'Scheduled Event';

/** @returns undefined where it can be none, so that nobody makes the function fail: a method of proxies, a header that is no bytes */
function toRequest(event: HttpEvent): Request | undefined {
  try {
    return readRequest(event);
  } catch {
    return undefined;
  }
}

/** @throws TypeError */
function readRequest({ rawPath, rawQueryString, headers, cookies, body, ...event }: HttpEvent): Request {
  const { domainName, http } = event.requestContext;
  const url = new URL(`https://${domainName}`);
  url.pathname = rawPath;
  url.search = rawQueryString;
  const given = new Headers(
    Object.entries(headers).filter((header): header is [string, string] => header[1] !== undefined),
  );
  if (cookies && cookies.length > 0) given.set('cookie', cookies.join('; '));
  const isRead = http.method === 'GET' || http.method === 'HEAD';
  const bytes = body === undefined || isRead ? null : Buffer.from(body, event.isBase64Encoded ? 'base64' : 'utf8');
  return new Request(url, { method: http.method, headers: given, body: bytes });
}

/** What is not UTF-8 would not come through as text. */
async function toAnswer(response: Response): Promise<HttpAnswer> {
  const bytes = Buffer.from(await response.arrayBuffer());
  const isBase64Encoded = !isUtf8(bytes);
  const headers = Object.fromEntries([...response.headers].filter(([name]) => name !== 'set-cookie'));
  const body = bytes.toString(isBase64Encoded ? 'base64' : 'utf8');
  return { statusCode: response.status, headers, cookies: response.headers.getSetCookie(), body, isBase64Encoded };
}
