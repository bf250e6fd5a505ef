/**
 * Sluice where a function takes a Request and gives a Response: Deno Deploy, Netlify, Supabase, and others alike. Work behind an answer
 * is given to what the platform has for it, or else just goes on.
 */
import { openFloating } from '../runtime/floating.ts';
import { type FetchContext, logged } from '../runtime/wait-until.ts';
import type { Sluice } from '../sluice.ts';
import { moveFrom } from './mount.ts';

export interface EdgeOptions<Env extends object> {
  /** Default: the environment of the process. */
  env?: Env;
  /** Keeps work alive after the answer. Default: that of the platform. */
  waitUntil?: (promise: Promise<unknown>) => void;
  /** The path below which it is served, such as `/sluice`, without a slash at its end. What is not below it is taken as it is. */
  basePath?: string;
}

/** As much as is used of what platforms give beside a request: Netlify its context, Deno who calls. */
interface Given {
  waitUntil?(promise: Promise<unknown>): void;
  ip?: string;
  remoteAddr?: { hostname?: string };
}

/** Supabase has it as a global. */
type Globals = { EdgeRuntime?: { waitUntil?(promise: Promise<unknown>): void } };

/**
 * Makes a handler of requests. The second argument that the platform calls it with is used for `waitUntil`, and for the address of
 * whoever calls.
 * @example Deno.serve(toFetch(sluice))
 * @example export default toFetch(sluice, { basePath: '/sluice' })
 */
export function toFetch<Env extends object>(
  sluice: Sluice<Env>,
  { env, waitUntil, basePath = '' }: EdgeOptions<Env> = {},
): (request: Request, context?: unknown) => Promise<Response> {
  const floating = openFloating();
  const keeperFor = (given: Given): FetchContext['waitUntil'] => {
    if (waitUntil) return waitUntil;
    if (given.waitUntil) return (promise) => given.waitUntil?.(promise);
    const { EdgeRuntime } = globalThis as Globals;
    return EdgeRuntime?.waitUntil ? (promise) => EdgeRuntime.waitUntil?.(promise) : floating.waitUntil;
  };
  return (request, context) => {
    const given = (context ?? {}) as Given;
    const keep = keeperFor(given);
    const clientAddress = given.ip ?? given.remoteAddr?.hostname;
    return sluice.fetch(moveFrom(basePath, request), env, {
      waitUntil: (promise) => keep(logged(promise)),
      clientAddress,
    });
  };
}
