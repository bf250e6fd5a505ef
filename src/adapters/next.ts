/** Sluice in an application of Next.js: route handlers, in which `after` keeps work alive behind an answer. */
import { type FetchContext, logged } from '../runtime/wait-until.ts';
import type { Producer, Sluice } from '../sluice.ts';
import { serveCron } from './cron.ts';
import { serveDashboard } from './dashboard.ts';
import { holdEnvironment } from './environment.ts';
import { moveTo } from './mount.ts';
import { DEFAULTS, readAddress, SLEEPS_MS } from './on-vercel.ts';

export interface NextOptions<Env extends object> {
  /** Default: the environment of the process. */
  env?: Env;
  /** Default: that of `next/server`. Where there is none, as before Next.js 15.1, work behind an answer just goes on. */
  after?: (task: Promise<unknown>) => void;
}

type RouteHandler = (
  request: Request,
  route: { params: Promise<Record<string, string | string[] | undefined>> },
) => Promise<Response>;
type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS';

/**
 * Makes the handlers of a route that catches all paths below its own. Where it catches its own too, the dashboard is there.
 * @example export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = serve(sluice) // app/api/sluice/[[...path]]/route.ts
 */
export function serve<Env extends object>(
  sluice: Sluice<Env>,
  options: NextOptions<Env> = {},
): Record<Method, RouteHandler> {
  const { environment, context } = open(options);
  let dashboard: ReturnType<typeof serveDashboard> | undefined;
  const handle: RouteHandler = async (request, { params }) => {
    const caught = Object.values(await params).find(Array.isArray) ?? [];
    const { base, path } = splitPath(request, caught.length);
    dashboard ??= serveDashboard(base);
    const page = await dashboard(request);
    if (page) return page;
    const clientAddress = readAddress(request, environment());
    return sluice.fetch(moveTo(path, request), environment(), { ...context, clientAddress });
  };
  return { GET: handle, POST: handle, PUT: handle, PATCH: handle, DELETE: handle, OPTIONS: handle };
}

/**
 * Makes the handler of a cron job, whose requests have `Authorization: Bearer $CRON_SECRET`. It does not wait for what is due later.
 * @example export const GET = cron(sluice) // app/api/cron/route.ts
 */
export function cron<Env extends object>(
  sluice: Sluice<Env>,
  options: NextOptions<Env> = {},
): (request: Request) => Promise<Response> {
  const { environment, context } = open(options);
  return serveCron(sluice, environment, context);
}

/**
 * Enqueues from other routes and from server actions, and wakes a drain behind their answer.
 * @example await producer(sluice).enqueue(mail, { to: 'ada@example.com' })
 */
export function producer<Env extends object>(sluice: Sluice<Env>, options: NextOptions<Env> = {}): Producer {
  const { environment, context } = open(options);
  return sluice.producer(environment(), context);
}

function open<Env extends object>({ env, after }: NextOptions<Env>) {
  const context: FetchContext = {
    waitUntil: (promise) => void keepAlive(logged(promise), after),
    sleepsMs: SLEEPS_MS,
  };
  return { environment: holdEnvironment(DEFAULTS, env), context };
}

/** What `after` refuses, such as outside a request, goes on all the same. */
async function keepAlive(work: Promise<unknown>, given?: (task: Promise<unknown>) => void): Promise<void> {
  try {
    const after = given ?? (await import('next/server.js')).after;
    after?.(work);
  } catch {} // nobody to keep it alive
}

/** @param count of the segments that the route caught: their names have been decoded, and the path is needed as it came */
function splitPath(request: Request, count: number): { base: string; path: string } {
  const segments = new URL(request.url).pathname.replace(/\/$/, '').split('/');
  const caught = segments.splice(segments.length - count);
  return { base: segments.join('/'), path: `/${caught.join('/')}` };
}
