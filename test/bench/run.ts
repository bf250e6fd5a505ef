/** One run of one contender on an empty Redis: its numbering, its filling, its draining and its verdict. */
import { type Body, bodyOf, type Contender, type Place, type Prepared, type Session } from './contender.ts';
import { Ledger, type Verdict } from './ledger.ts';

export interface Entrant {
  contender: Contender;
  prepared: Prepared;
}

export interface Run {
  contender: Contender;
  session: Session;
  ledger: Ledger;
  sent: number;
  /** The next messages, numbered. */
  next(count: number): Body[];
  /** As fast as the contender allows, and not timed. */
  fill(count: number): Promise<void>;
  /** Works off what was sent. @returns how long it took until the last was acknowledged, ms */
  drain(): Promise<number>;
}

let runs = 0;
const PARALLEL = 32;
const BULK = 1_000;

/** @returns what `measure` did, and whether each message was delivered exactly once */
export async function withRun<T>(
  { contender, prepared }: Entrant,
  { raw }: Place,
  measure: (run: Run) => Promise<T>,
): Promise<{ value: T; verdict: Verdict; sent: number }> {
  await raw.flushall();
  const session = await prepared.open(`run${runs++}`);
  try {
    const run = openRun(contender, session);
    const value = await measure(run);
    return { value, verdict: run.ledger.verdict(run.sent), sent: run.sent };
  } finally {
    await session.close();
  }
}

function openRun(contender: Contender, session: Session): Run {
  const run: Run = {
    contender,
    session,
    ledger: new Ledger(),
    sent: 0,
    next(count) {
      const from = run.sent;
      run.sent += count;
      return Array.from({ length: count }, (_, i) => bodyOf(from + i));
    },
    async fill(count) {
      const { enqueueMany } = session;
      const most = enqueueMany ? Math.min(BULK, contender.bulk ?? BULK) : PARALLEL;
      while (count > 0) {
        const bodies = run.next(Math.min(most, count));
        count -= bodies.length;
        if (enqueueMany) await enqueueMany(bodies);
        else await Promise.all(bodies.map((body) => session.enqueue(body)));
      }
    },
    async drain() {
      const start = performance.now();
      const consumer = await session.consume(run.ledger, 'backlog');
      await run.ledger.until(() => run.ledger.acknowledged >= run.sent);
      const ms = performance.now() - start;
      await consumer.stop(); // some tell only then who got what
      await run.ledger.until(() => run.ledger.distinct >= run.sent);
      return ms;
    },
  };
  return run;
}
