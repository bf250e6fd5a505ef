/** Redis commands and HTTP requests per message, enqueue to acknowledgement, and how many of them a minute of nothing takes. */
import { usageOf } from '../../../src/dev/emulator/usage.ts';
import { type Place, pause } from '../contender.ts';
import type { Run } from '../run.ts';

export interface Cost {
  /** Billed Redis commands per message, those inside scripts included. */
  commands: number;
  /** HTTP requests to Redis per message; 0 over TCP. */
  requests: number;
}

/** From the last handler to its acknowledgement, amply. */
const SETTLED_MS = 300;

/** @param perSecond how often one arrives, at even distances */
export async function arrivalCost(run: Run, place: Place, perSecond: number, messages: number): Promise<Cost> {
  const { session, ledger } = run;
  const consumer = await session.consume(ledger, 'arrivals');
  await run.fill(1); // scripts are loaded now
  await ledger.until(() => ledger.distinct >= 1);
  await pause(SETTLED_MS);
  const measured = await costOf(place, async () => {
    const start = performance.now();
    const sending: Promise<unknown>[] = [];
    for (let i = 0; i < messages; i++) {
      await pause(Math.max(0, start + (i * 1_000) / perSecond - performance.now()));
      for (const body of run.next(1)) sending.push(session.enqueue(body));
    }
    await Promise.all(sending);
    await ledger.until(() => ledger.distinct >= run.sent);
    await pause(SETTLED_MS);
  });
  await consumer.stop();
  return per(messages, measured);
}

/** A backlog that came in in batches and is drained. */
export async function saturatedCost(run: Run, place: Place, messages: number): Promise<Cost> {
  const { session, contender } = run;
  await run.fill(Math.min(messages, 100));
  const batch = Math.min(100, contender.bulk ?? 100);
  const measured = await costOf(place, async () => {
    for (let sent = 0; sent < messages; sent += batch) {
      if (session.enqueueMany) await session.enqueueMany(run.next(batch));
      else for (const body of run.next(batch)) await session.enqueue(body);
    }
    await run.drain();
  });
  return per(messages, measured);
}

/** Of a consumer that has nothing to do, for so long. @returns per minute */
export async function idleCost(run: Run, place: Place, forMs: number): Promise<Cost> {
  const consumer = await run.session.consume(run.ledger, 'arrivals');
  await pause(200);
  const measured = await costOf(place, () => pause(forMs));
  await consumer.stop();
  return per(forMs / 60_000, measured);
}

/** Bytes that Redis takes for each of so many waiting messages. */
export async function bytesEach(run: Run, { raw }: Place, messages: number): Promise<number> {
  const used = async () => Number(/used_memory:(\d+)/.exec(await raw.info('memory'))?.[1]);
  await run.fill(100);
  const before = await used();
  await run.fill(messages);
  return ((await used()) - before) / messages;
}

async function costOf({ raw, emulator }: Place, work: () => Promise<unknown>): Promise<Cost> {
  const [commands, requests] = [(await usageOf([raw])).commands, await emulator.requests()];
  await work();
  const used = (await usageOf([raw])).commands - commands;
  return { commands: used, requests: (await emulator.requests()) - requests };
}

const per = (count: number, { commands, requests }: Cost): Cost => ({
  commands: commands / count,
  requests: requests / count,
});
