/** A cron that calls by GET, with `Authorization: Bearer $CRON_SECRET`: that of Vercel, and whatever is set to do the same. */
import { isSameSecret } from '../http/constant-time.ts';
import { Problem, respondProblem, toProblem } from '../http/problem.ts';
import { logError, nameOfError } from '../log.ts';
import type { FetchContext } from '../runtime/wait-until.ts';
import type { Sluice } from '../sluice.ts';

const CHALLENGE = { 'www-authenticate': 'Bearer realm="sluice"' };

/** @returns answers a tick's report as JSON, or a problem: 401 without the secret, 503 where storage does not answer */
export function serveCron<Env extends object>(
  sluice: Sluice<Env>,
  environment: () => Env,
  context: FetchContext,
): (request: Request) => Promise<Response> {
  return async (request) => {
    try {
      const env = environment();
      checkSecret(request, (env as { CRON_SECRET?: string }).CRON_SECRET);
      return Response.json(await sluice.tick(env, { wait: false, context }));
    } catch (error) {
      const problem = toProblem(error);
      if (problem.code === 'misconfigured') logError('bad settings', { settings: (error as Error).message });
      else if (problem.code !== 'unauthorized') logError('tick failed', { error: nameOfError(error) });
      return respondProblem(problem);
    }
  };
}

/** @throws Problem unauthorized */
function checkSecret(request: Request, secret: string | undefined): void {
  if (!secret) throw new Problem('unauthorized', 'CRON_SECRET is not set here', undefined, CHALLENGE);
  const given = request.headers.get('authorization') ?? '';
  if (!isSameSecret(given, `Bearer ${secret}`)) throw new Problem('unauthorized', undefined, undefined, CHALLENGE);
}
