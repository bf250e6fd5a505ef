/** Sluice in functions of Vercel. With Next.js `sluice/next` is nearer. */
import { openFloating } from '../runtime/floating.ts';
import { type FetchContext, logged } from '../runtime/wait-until.ts';
import type { Producer, Sluice } from '../sluice.ts';
import { serveCron } from './cron.ts';
import { serveDashboard } from './dashboard.ts';
import { holdEnvironment } from './environment.ts';
import { moveFrom } from './mount.ts';
import { DEFAULTS, findWaitUntil, readAddress, SLEEPS_MS } from './on-vercel.ts';

export interface VercelOptions<Env extends object> {
  /** Default: the environment of the process. */
  env?: Env;
  /** Keeps work alive after the answer. Default: what `waitUntil` of `@vercel/functions` does, which is not needed for it. */
  waitUntil?: (promise: Promise<unknown>) => void;
}

export interface VercelFetchOptions<Env extends object> extends VercelOptions<Env> {
  /** The path below which it is served, such as `/api/sluice`, without a slash at its end. What is not below it is taken as it is. */
  basePath?: string;
}

/**
 * Makes the handler of a function's requests, those for the dashboard too where its files are deployed along.
 * @example export default { fetch: toFetch(sluice) } // and vercel.json rewrites all paths to it
 */
export function toFetch<Env extends object>(
  sluice: Sluice<Env>,
  { basePath = '', ...options }: VercelFetchOptions<Env> = {},
): (request: Request) => Promise<Response> {
  const { environment, context } = open(options);
  const dashboard = serveDashboard(basePath);
  return async (request) => {
    const page = await dashboard(request);
    if (page) return page;
    const clientAddress = readAddress(request, environment());
    return sluice.fetch(moveFrom(basePath, request), environment(), { ...context, clientAddress });
  };
}

/**
 * Makes the handler of a cron job, whose requests have `Authorization: Bearer $CRON_SECRET`. It does not wait for what is due later.
 * @example export const GET = cron(sluice) // api/cron.ts, and vercel.json calls it each minute
 */
export function cron<Env extends object>(
  sluice: Sluice<Env>,
  options: VercelOptions<Env> = {},
): (request: Request) => Promise<Response> {
  const { environment, context } = open(options);
  return serveCron(sluice, environment, context);
}

/**
 * Enqueues from other functions of the project, and wakes a drain behind their answer.
 * @example await producer(sluice).enqueue(mail, { to: 'ada@example.com' })
 */
export function producer<Env extends object>(sluice: Sluice<Env>, options: VercelOptions<Env> = {}): Producer {
  const { environment, context } = open(options);
  return sluice.producer(environment(), context);
}

function open<Env extends object>({ env, waitUntil }: VercelOptions<Env>) {
  const floating = openFloating();
  const context: FetchContext = {
    waitUntil: (promise) => (waitUntil ?? findWaitUntil() ?? floating.waitUntil)(logged(promise)),
    sleepsMs: SLEEPS_MS,
  };
  return { environment: holdEnvironment(DEFAULTS, env), context };
}
