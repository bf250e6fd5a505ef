/**
 * Starting further drains, each a top-level invocation with subrequests, connections and CPU of its own: in a Durable Object where some
 * are bound, else by a request to the deployment's own public URL.
 */
import type { Config } from '../config/config.ts';
import { deriveStartToken } from '../config/start-token.ts';
import type { Drainers } from '../drain/drainers.ts';
import { logWarning, nameOfError } from '../log.ts';

/** Has the drain at this place begin. It never rejects. @returns false where it surely does not */
export type StartDrain = (place: number) => Promise<boolean>;

/** A platform that answers only when the drain has ended has begun it by then. */
const ANSWER_MS = 3_000;

/** @returns undefined where this deployment can start none */
export function openStarter(config: Config, drainers: Drainers | undefined): StartDrain | undefined {
  if (config.SLUICE_DRAINERS === 1) return undefined;
  if (drainers) return drainers.start;
  const { SLUICE_URL: url } = config;
  return url === undefined ? undefined : (place) => startByUrl(config, `${url}/v1/drain/further?place=${place}`);
}

async function startByUrl(config: Config, url: string): Promise<boolean> {
  try {
    const headers = { authorization: `Bearer ${await deriveStartToken(config)}` };
    const signal = AbortSignal.timeout(ANSWER_MS);
    const { status, body } = await fetch(url, { method: 'POST', headers, redirect: 'manual', signal });
    await body?.cancel();
    if (status !== 202) logWarning('drain not started', { status });
    return status === 202;
  } catch (error) {
    const isUnknown = nameOfError(error) === 'TimeoutError';
    if (!isUnknown) logWarning('drain not started', { error: nameOfError(error) });
    return isUnknown;
  }
}
