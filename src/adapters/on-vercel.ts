/** What Vercel gives a function, whatever framework it is of. */
import type { FetchContext } from '../runtime/wait-until.ts';

/**
 * A function has 300 s, or 60 s where it is set to that: drains end within both, with queues of the default timeout. Handlers mostly
 * wait for others, so ten of them share a function well.
 */
export const DEFAULTS = {
  SLUICE_DRAIN_MS: '50000',
  SLUICE_WOKEN_MS: '55000',
  SLUICE_CONCURRENCY: '10',
};

/** Waiting is billed by the memory that is kept meanwhile: a first retry is worth it, no more, ms. */
export const SLEEPS_MS = 5_000;

/** Where `waitUntil` of `@vercel/functions` finds the request at hand. */
const REQUEST = Symbol.for('@vercel/request-context');
type Globals = { [REQUEST]?: { get?(): Partial<FetchContext> | undefined } };

/** @returns that of the request at hand; undefined where there is none, as on another machine */
export function findWaitUntil(): FetchContext['waitUntil'] | undefined {
  const context = (globalThis as Globals)[REQUEST]?.get?.();
  return context?.waitUntil && ((promise) => context.waitUntil?.(promise));
}

/** @returns the address of whoever calls: Vercel writes this header itself; undefined elsewhere, where anybody could */
export function readAddress(request: Request, env: object): string | undefined {
  const isVercel = (env as { VERCEL?: string }).VERCEL !== undefined;
  return (isVercel && request.headers.get('x-vercel-forwarded-for')) || undefined;
}
