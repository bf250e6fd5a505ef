/**
 * How often one token may call, or one address without any: an option, for deployments that give the Worker a
 * rate-limiting binding. Without one nothing is limited, and nothing is asked.
 */
import type { Token } from '../config/config.ts';
import { Problem } from './problem.ts';

/** What of the binding is used: https://developers.cloudflare.com/workers/runtime-apis/bindings/rate-limit/ */
interface RateLimiter {
  limit(options: { key: string }): Promise<{ success: boolean }>;
}

/** The binding does not say when its period ends, nor which of the two there are it has: the shorter one, s. */
const RETRY_AFTER = '10';

/**
 * Each name has a count of its own, in each location of the platform.
 * @param who for the caller: who calls too often
 * @throws Problem rate_limited
 */
export async function limitRate(
  env: object,
  { name }: Pick<Token, 'name'>,
  who = `The token "${name}"`,
): Promise<void> {
  const { RATE_LIMITER: limiter } = env as { RATE_LIMITER?: RateLimiter };
  if (!limiter) return;
  const { success } = await limiter.limit({ key: name });
  if (success) return;
  throw new Problem('rate_limited', `${who} calls too often`, undefined, { 'retry-after': RETRY_AFTER });
}
