/** Messages per second that go in: one at a time, 32 in parallel, in batches, one or four of them under way. */
import type { Run } from '../run.ts';

export const FORMS = {
  'one at a time': { parallel: 1, batch: 1 },
  '32 in parallel': { parallel: 32, batch: 1 },
  'batches of 100': { parallel: 1, batch: 100 },
  'batches of 1,000': { parallel: 1, batch: 1_000 },
  'four batches of 1,000': { parallel: 4, batch: 1_000 },
} as const;

export type Form = keyof typeof FORMS;

/** @returns messages per second, or undefined where the contender has no such form */
export async function enqueueRate(run: Run, form: Form, forMs: number): Promise<number | undefined> {
  if (!hasForm(run, form)) return undefined;
  await run.fill(Math.min(FORMS[form].batch, 100)); // the first calls compile
  const rate = await putFor(run, form, forMs);
  await run.drain(); // to see that all came in
  return rate;
}

export function hasForm({ session, contender }: Run, form: Form): boolean {
  const { batch } = FORMS[form];
  return batch === 1 || (session.enqueueMany !== undefined && batch <= (contender.bulk ?? batch));
}

/** @returns messages per second */
export async function putFor(run: Run, form: Form, forMs: number): Promise<number> {
  const { parallel, batch } = FORMS[form];
  const { session, contender } = run;
  const { enqueueMany } = session;
  const before = run.sent;
  const start = performance.now();
  const goesOn = () => performance.now() - start < forMs && run.sent - before < contender.most;
  const one = async () => {
    while (goesOn()) {
      // Not named here: a function that waits holds what it names, and collecting garbage costs by what is held.
      if (batch > 1 && enqueueMany) await enqueueMany(run.next(batch));
      else for (const body of run.next(batch)) await session.enqueue(body);
    }
  };
  await Promise.all(Array.from({ length: parallel }, one));
  return ((run.sent - before) / (performance.now() - start)) * 1_000;
}
