/** The HTTP application: edge functions under one set of rules for errors, methods and settings. */
import type { Context, Handler } from 'hono';
import { Hono } from 'hono/tiny';
import { MAX_REQUEST_BYTES } from '../broker/producer.ts';
import type { Engine } from '../engine.ts';
import { describe, readFrames } from '../formats/thrown.ts';
import { logError, nameOfError, printFailure } from '../log.ts';
import type { FetchContext } from '../runtime/wait-until.ts';
import { letIn } from './auth.ts';
import { limitBody, readObject, readQuery, readValid } from './body.ts';
import type { SluiceEnv } from './context.ts';
import { answerProblem, Problem, toProblem } from './problem.ts';
import type { EdgeFunction, Route, Schema } from './route.ts';

export type App = Hono<SluiceEnv>;

/** Names the shards that did not answer: what is told is told without theirs. */
const AWAY = 'sluice-away';

export function createApp(functions: EdgeFunction[], engineOf: (env: object, context: FetchContext) => Engine): App {
  const app: App = new Hono<SluiceEnv>();
  const begin = (c: Context<SluiceEnv>) => {
    c.set('engine', engineOf(c.env, c.executionCtx));
    if (c.req.path.endsWith('/')) throw new Problem('not_found'); // the router would take it for the path without
  };
  for (const route of functions.flat()) serve(app, route, begin);
  app.onError((error, c) => {
    const problem = toProblem(error);
    if (problem.code === 'misconfigured') logError('bad settings', { settings: error.message });
    // The text of an unknown error may hold anything, bodies too: its name has to do. A problem was logged where it is known.
    if (problem.code === 'internal' && problem !== error) {
      logError('request failed', { method: c.req.method, route: c.req.routePath, error: nameOfError(error) });
      if (c.get('engine')?.config.SLUICE_LOG_ERRORS) printFailure({ text: describe(error), stack: readFrames(error) });
    }
    return answerProblem(c, problem);
  });
  app.notFound((c) => {
    begin(c);
    const methods = methodsAt(app, c.req.path);
    if (methods.length === 0) return answerProblem(c, new Problem('not_found'));
    return answerProblem(c, new Problem('method_not_allowed', undefined, undefined, { allow: methods.join(', ') }));
  });
  return app;
}

/**
 * Before a route's own checks come those of the token, and of the size of the body.
 * @param begin is no middleware: with a single handler Hono calls that, and composes nothing
 */
function serve(app: App, route: Route, begin: (c: Context<SluiceEnv>) => void): void {
  const { method, path, scope, query, body, maxBytes = MAX_REQUEST_BYTES, answer } = route;
  app.on(method, [path], async (c) => {
    begin(c);
    if (scope) await letIn(c, scope);
    if (body) await limitBody(c, maxBytes);
    const answered = await answer(c, {
      query: () => readQuery(c, query as Schema),
      body: () => readValid(c, body as Schema),
      object: () => readObject(c),
    });
    const { away } = c.get('engine');
    const response = answered instanceof Response ? answered : c.json(answered);
    if (away.length > 0) response.headers.set(AWAY, away.join(', '));
    return response;
  });
}

function methodsAt(app: App, path: string): string[] {
  return ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'].filter((method) => {
    const [matches] = app.router.match(method, path) as unknown as [[[Handler, { method: string }]][]];
    return matches.some(([[, route]]) => route.method === method);
  });
}
