/** The clock of a test: it stands still, and is put forward by hand. As long as one is open, `Date` tells its time. */
import { AsyncLocalStorage } from 'node:async_hooks';

export interface TestClock {
  /** Epoch ms. */
  now(): number;
  /** @param at epoch ms */
  set(at: number): void;
  /** Does this work with `Date` at the time of this clock, whichever others are open. */
  run<Result>(work: () => Result): Result;
  /** With the last one `Date` is again what it was. */
  close(): void;
}

/** `Date` as it was before the first clock was opened, and what stands in its place until the last is closed. */
interface Installed {
  before: DateConstructor;
  instead: DateConstructor;
}

let installed: Installed | undefined;
/** The last one is the clock of whoever does not work under one. */
const open: TestClock[] = [];
const worked = new AsyncLocalStorage<TestClock>();

/** @param startAt epoch ms; left out, now */
export function openClock(startAt?: number): TestClock {
  installed ??= install();
  const beneath = openBeneath(installed);
  let ahead = startAt === undefined ? 0 : startAt - beneath();
  const clock: TestClock = {
    now: () => beneath() + ahead,
    set(at) {
      ahead = at - beneath();
    },
    run: (work) => worked.run(clock, work),
    close() {
      const place = open.indexOf(clock);
      if (place >= 0) open.splice(place, 1);
      if (open.length === 0) uninstall();
    },
  };
  open.push(clock);
  return clock;
}

/**
 * The time beneath a clock stands still. Where a test runner's fake timers have taken `Date`, before or after, it is theirs, so that
 * putting them forward puts this clock forward too.
 */
function openBeneath({ before, instead }: Installed): () => number {
  const openedAt = before.now();
  const isFake = before.prototype.constructor !== before; // what stands in for Date does not look like it from inside
  return () => {
    const { Date: top } = globalThis;
    if (top !== instead) return top.now();
    return isFake ? before.now() : openedAt;
  };
}

function install(): Installed {
  const before = globalThis.Date;
  const now = () => (worked.getStore() ?? open.at(-1))?.now() ?? before.now();
  const instead: DateConstructor = new Proxy(before, {
    get: (target, key, receiver) => (key === 'now' ? now : Reflect.get(target, key, receiver)),
    apply: () => new before(now()).toString(),
    construct(target, given, made) {
      return Reflect.construct(target, given.length === 0 ? [now()] : given, made === instead ? target : made);
    },
  });
  globalThis.Date = instead;
  return { before, instead };
}

/** What a test runner has put on top stays: it puts back what it found, and that tells the time as before by then. */
function uninstall(): void {
  if (installed && globalThis.Date === installed.instead) globalThis.Date = installed.before;
  installed = undefined;
}
