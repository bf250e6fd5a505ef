/** The cron ticker: local workerd never fires a cron trigger by itself. */
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

/** Fires the cron handler of a Worker in wrangler dev. */
export function tickAt(url: string): () => Promise<void> {
  return async () => {
    const answer = await fetch(new URL('/cdn-cgi/local/scheduled?cron=*+*+*+*+*', url)).catch(() => {
      throw new Error(`nothing answers at ${url} yet: is wrangler dev up? It is tried again with the next minute`);
    });
    if (!answer.ok) throw new Error(`the Worker answered ${answer.status}`);
  };
}
