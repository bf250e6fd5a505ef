/** The address of whoever calls, by which calls without a known token are counted. */
import type { Context } from 'hono';
import { isWorkers } from '../runtime/runtime.ts';
import type { FetchContext } from '../runtime/wait-until.ts';
import type { SluiceEnv } from './context.ts';

/** @returns what the platform vouches for; empty, one for all, where it does not: anybody can write a header */
export function readClientAddress(c: Context<SluiceEnv>): string {
  const { clientAddress } = c.executionCtx as FetchContext;
  return clientAddress ?? (isWorkers() ? c.req.header('cf-connecting-ip') : undefined) ?? '';
}
