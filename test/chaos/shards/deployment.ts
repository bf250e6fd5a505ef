/** A deployment in this process, beside the Worker: the same definitions and settings, and nobody kills it. */
import { createSluice } from 'sluice';
import { api as functions } from 'sluice/functions';
import type { Fetch } from '../producers.ts';
import { queues } from './queues.ts';

/** What an address is in it does not matter. */
export const INSIDE = 'http://sluice.invalid';

/** Of one request. */
export interface Answer {
  status: number;
  body: Record<string, unknown>;
}

export interface Deployment {
  fetch: Fetch;
  /** @returns undefined where nobody knows what became of it */
  call(method: string, path: string, body?: unknown, key?: string): Promise<Answer | undefined>;
  tick(): Promise<unknown>;
}

/** Whichever of several is the one to be called at the time. */
export const switching = (now: () => Deployment): Deployment => ({
  fetch: (url, init) => now().fetch(url, init),
  call: (...request) => now().call(...request),
  tick: () => now().tick(),
});

export function openDeployment(env: Record<string, string>, token: string): Deployment {
  const sluice = createSluice<Record<string, string>>({ queues, functions });
  const send: Fetch = (url, init) => sluice.fetch(new Request(url, init), env);
  return {
    fetch: send,
    async call(method, path, body, key) {
      const headers = { authorization: `Bearer ${token}`, ...(key !== undefined && { 'idempotency-key': key }) };
      const init = body === undefined ? {} : { body: JSON.stringify(body) };
      const type = { 'content-type': 'application/json' };
      const answer = await send(INSIDE + path, { method, headers: { ...headers, ...type }, ...init });
      if (answer.status >= 500 || answer.status === 429) return undefined;
      return { status: answer.status, body: (await answer.json()) as Answer['body'] };
    },
    tick: () => sluice.tick(env),
  };
}
