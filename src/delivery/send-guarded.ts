/** Sending in Node, Bun and Deno: past the guard, which is loaded with the first delivery. */
import type { AddressRules } from '../formats/address.ts';
import { isWorkers } from '../runtime/runtime.ts';
import { type Send, sendByFetch } from './send.ts';

export function chooseSend({ local }: AddressRules): Send {
  // A bundle made for Node may run on Workers, whose `node:https` asks no resolver of ours; nothing has to be guarded there.
  if (local || isWorkers()) return sendByFetch;
  return async (url, request) => (await import('./guard.ts')).sendGuarded(url, request);
}
