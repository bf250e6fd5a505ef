/** Polling: the API tells how things are, not what happens, so a live view asks again and again, at an interval that it states. */

/** Aborted at the first SIGINT or SIGTERM, so that a command ends by itself; a second one ends it at once. */
export function untilStopped(): AbortSignal {
  const stopping = new AbortController();
  const stop = () => stopping.abort();
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  return stopping.signal;
}

/** Looks at once and then at each interval, so many times, or until the signal. */
export async function* looks<Seen>(
  look: () => Promise<Seen>,
  { intervalMs, count, signal }: { intervalMs: number; count: number; signal: AbortSignal },
): AsyncGenerator<Seen> {
  for (let i = 0; i < count && !signal.aborted; i++) {
    if (i > 0) await pause(intervalMs, signal);
    if (!signal.aborted) yield await look();
  }
}

/** Shorter where the signal is aborted. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
    if (signal.aborted) done();
  });
}
