/** The cron of a machine, on which no platform has any: each minute it calls what the platform's would. */

export interface Ticker {
  stop(): void;
}

/**
 * Calls `tick` at each whole interval of the clock, also while an earlier tick still runs: the platform does so too.
 * @param tick its failures are reported and do not stop the ticker
 */
export function startTicker(tick: () => Promise<void>, report: (error: unknown) => void, everyMs = 60_000): Ticker {
  let timer: NodeJS.Timeout;
  const arm = () => {
    timer = setTimeout(
      () => {
        arm();
        tick().catch(report);
      },
      everyMs - (Date.now() % everyMs),
    );
  };
  arm();
  return { stop: () => clearTimeout(timer) };
}

/** A request that is a tick. */
export interface CronCall {
  method: 'GET' | 'POST';
  url: string;
  token?: string | undefined;
}

/** `nobody`: nothing serves there yet, or no more. */
export type Ticked = 'ok' | 'nobody';

/**
 * Makes one tick, by the first of these calls that is not answered with 404.
 * @throws Error where it is refused, or fails
 */
export async function tickBy(calls: CronCall[]): Promise<Ticked> {
  let status = 404;
  for (const { method, url, token } of calls) {
    const headers: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {};
    const answer = await fetch(url, { method, headers, redirect: 'manual' }).catch(() => undefined);
    if (!answer) return 'nobody';
    await answer.body?.cancel();
    if (answer.ok) return 'ok';
    status = answer.status;
    if (status !== 404) break;
  }
  const { origin, pathname } = new URL(calls.at(-1)?.url ?? '');
  throw new Error(`${origin}${pathname} answered ${status}`);
}

/** A tick that tells of what has changed since the last: each minute the same line would be read by nobody. */
export function tellingTick(calls: CronCall[], say: (line: string) => void): () => Promise<void> {
  const { origin } = new URL(calls[0]?.url ?? '');
  let last = '';
  return async () => {
    const now = await tickBy(calls).then(
      (ticked) => (ticked === 'ok' ? `cron ticks ${origin}` : ''),
      (error: Error) => `cron: ${error.message}`,
    );
    if (now !== '' && now !== last) say(now);
    last = now;
  };
}
