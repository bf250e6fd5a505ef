// An application without a Worker around it: requests come with a context, as each does there.
import type { Engine } from '../../src/engine.ts';
import { createApp } from '../../src/http/app.ts';
import type { EdgeFunction } from '../../src/http/route.ts';
import { type FetchContext, FLOATING } from '../../src/runtime/wait-until.ts';

/** @param engine as much of one as these functions ask */
export function appOf(functions: EdgeFunction[], engine: object) {
  const app = createApp(functions, () => ({ keepAlive: FLOATING.waitUntil, away: [], ...engine }) as unknown as Engine);
  return {
    request: async (path: string, init: RequestInit = {}, env: object = {}, context: Partial<FetchContext> = {}) =>
      app.request(path, init, env, { ...FLOATING, ...context } as ExecutionContext),
  };
}
