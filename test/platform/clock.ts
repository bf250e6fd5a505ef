// The platform's clock, in the Worker's isolate: it shows the time of the last I/O or timer, and stands still while code runs.

const RealDate = Date;
const realSetTimeout = setTimeout;
const realSetInterval = setInterval;
const realNow = Date.now;
let now = realNow();

/** I/O has come back, or a timer has run down: the clock shows the true time, and stands still again. */
export function resumeClock(): void {
  now = realNow();
}

export function freezeClock(): void {
  const origin = now;
  globalThis.Date = class extends RealDate {
    constructor(...given: unknown[]) {
      super(...((given.length === 0 ? [now] : given) as [number]));
    }
    static override now = () => now;
  } as DateConstructor;
  Object.defineProperty(performance, 'now', { value: () => now - origin });
  freezeTimers();
  resumeWithBodies();
}

export function resumeWithAnswers(next: typeof fetch): typeof fetch {
  return (input, init) => next(input, init).finally(resumeClock);
}

/** Timers count from what the clock shows: one that is over by the true time runs at once. */
function freezeTimers(): void {
  const left = (ms = 0) => Math.max(0, now + ms - realNow());
  const resuming =
    (run: (...given: unknown[]) => void) =>
    (...given: unknown[]) => {
      resumeClock();
      run(...given);
    };
  const timers = {
    setTimeout: (run: () => void, ms?: number, ...given: unknown[]) =>
      realSetTimeout(resuming(run), left(ms), ...given),
    setInterval: (run: () => void, ms?: number, ...given: unknown[]) => realSetInterval(resuming(run), ms, ...given),
  };
  Object.assign(globalThis, timers);
  AbortSignal.timeout = (ms) => {
    const controller = new AbortController();
    timers.setTimeout(
      () => controller.abort(new DOMException('The operation was aborted due to timeout', 'TimeoutError')),
      ms,
    );
    return controller.signal;
  };
}

/** Bodies are read in more than one step. */
function resumeWithBodies(): void {
  const readers = ['text', 'json', 'arrayBuffer', 'bytes', 'blob', 'formData'] as const;
  for (const read of readers) {
    resumeAfter(Request.prototype, read);
    resumeAfter(Response.prototype, read);
  }
  resumeAfter(ReadableStreamDefaultReader.prototype, 'read');
}

function resumeAfter<Name extends string>(of: Record<Name, (...given: never[]) => Promise<unknown>>, name: Name): void {
  const real = of[name] as (...given: unknown[]) => Promise<unknown>;
  const value = function (this: unknown, ...given: unknown[]) {
    return real.apply(this, given).finally(resumeClock);
  };
  Object.defineProperty(of, name, { value, configurable: true, writable: true });
}
