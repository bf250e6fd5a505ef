/** The HTTP application: edge functions under one set of rules for errors, methods and settings. */
import type { Handler } from 'hono';
import { Hono } from 'hono/tiny';
import type { Token } from '../config/config.ts';
import type { Engine } from '../engine.ts';
import { describe, framesOf } from '../formats/thrown.ts';
import { logError, nameOfError, printFailure } from '../log.ts';
import type { Waits } from '../runtime/wait-until.ts';
import { answerProblem, Problem, toProblem } from './problem.ts';

/** What a request carries along. */
export interface SluiceEnv {
  Bindings: object;
  Variables: {
    engine: Engine;
    /** The token that was let in. */
    token: Token;
  };
}

export type App = Hono<SluiceEnv>;

/** An edge function adds its routes. */
export type EdgeFunction = (app: App) => void;

export function createApp(functions: EdgeFunction[], engineOf: (env: object, context: Waits) => Engine): App {
  const app: App = new Hono<SluiceEnv>();
  app.use(async (c, next) => {
    c.set('engine', engineOf(c.env, c.executionCtx));
    if (c.req.path.endsWith('/')) throw new Problem('not_found'); // the router would take it for the path without
    await next();
  });
  for (const add of functions) add(app);
  app.onError((error, c) => {
    const problem = toProblem(error);
    if (problem.code === 'misconfigured') logError('bad settings', { settings: error.message });
    // The text of an unknown error may hold anything, bodies too: its name has to do. A problem was logged where it is known.
    if (problem.code === 'internal' && problem !== error) {
      logError('request failed', { method: c.req.method, route: c.req.routePath, error: nameOfError(error) });
      if (c.var.engine?.config.SLUICE_LOG_ERRORS) printFailure({ text: describe(error), stack: framesOf(error) });
    }
    return answerProblem(c, problem);
  });
  app.notFound((c) => {
    const methods = methodsAt(app, c.req.path);
    if (methods.length === 0) return answerProblem(c, new Problem('not_found'));
    return answerProblem(c, new Problem('method_not_allowed', undefined, undefined, { allow: methods.join(', ') }));
  });
  return app;
}

function methodsAt(app: App, path: string): string[] {
  return ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'].filter((method) => {
    const [matches] = app.router.match(method, path) as unknown as [[[Handler, { method: string }]][]];
    return matches.some(([[, route]]) => route.method === method);
  });
}
