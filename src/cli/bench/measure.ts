/** One bench: enqueues all, then receives them from a pull queue, or watches the Worker drain a push queue. */
import { setTimeout as sleep } from 'node:timers/promises';
import { countReady, type QueueReport } from '../../client/admin.ts';
import type { Connection } from '../connection.ts';
import { Failure } from '../failure.ts';
import { startProgress } from '../progress.ts';
import { type Figures, percentilesOf, perSecond } from './figures.ts';

export interface Plan {
  queue: string;
  kind: QueueReport['kind'];
  count: number;
  batch: number;
  body: unknown;
  timeoutMs: number;
}

interface Sent {
  /** Of each message: when its enqueue was answered. */
  at: Map<string, number>;
  ms: number;
  requestMs: number[];
}

/** How often a queue is looked at that is not done yet. */
const LOOK_MS = 100;

/** @throws SluiceError; Failure where the time is over, which says what is left */
export async function measure(connection: Connection, plan: Plan): Promise<Figures> {
  const startedAt = performance.now();
  const deadline = startedAt + plan.timeoutMs;
  const sent = await enqueueAll(connection, plan);
  const waits = plan.kind === 'pull' ? await receiveAll(connection, plan, sent, deadline) : undefined;
  if (!waits) await watch(connection, plan, deadline);
  const ms = Math.round(performance.now() - startedAt);
  const { queue, count } = plan;
  return {
    queue,
    count,
    enqueue: {
      ms: Math.round(sent.ms),
      perSecond: perSecond(count, sent.ms),
      requestMs: percentilesOf(sent.requestMs),
    },
    delivery: { ms, perSecond: perSecond(count, ms), ...(waits ? { waitMs: percentilesOf(waits) } : {}) },
  };
}

async function enqueueAll({ client }: Connection, { queue, count, batch, body }: Plan): Promise<Sent> {
  const sent: Sent = { at: new Map(), ms: 0, requestMs: [] };
  const startedAt = performance.now();
  while (sent.at.size < count) {
    const messages = Array.from({ length: Math.min(batch, count - sent.at.size) }, () => ({ queue, body }));
    const requestAt = performance.now();
    const receipts = await client.enqueueMany(messages);
    const answeredAt = performance.now();
    sent.requestMs.push(answeredAt - requestAt);
    for (const { id } of receipts) sent.at.set(id, answeredAt);
  }
  sent.ms = performance.now() - startedAt;
  return sent;
}

/** Acks its own; what came in between from others is given back. @returns how long each waited, ms */
async function receiveAll({ client }: Connection, { queue, count }: Plan, sent: Sent, deadline: number) {
  const progress = startProgress();
  const waits: number[] = [];
  const lease = await client.receive(queue, { max: 100 });
  let { messages } = lease;
  while (waits.length < count) {
    const receivedAt = performance.now();
    if (receivedAt > deadline) throw late(queue, count - waits.length);
    const settlements = messages.map(({ id, attempt }) => {
      const answeredAt = sent.at.get(id);
      if (answeredAt === undefined) return { id, attempt, outcome: 'release', delay: '1m' } as const;
      waits.push(receivedAt - answeredAt);
      return { id, attempt, outcome: 'ack' } as const;
    });
    if (messages.length === 0) await sleep(LOOK_MS); // another took some
    if (waits.length < count) messages = await lease.settleAndReceive(settlements, { max: 100 });
    else await lease.settle(settlements);
    progress.at(`${waits.length} of ${count} received`, waits.length / count);
  }
  progress.end();
  return waits;
}

/** Until the Worker has drained it. */
async function watch({ admin }: Connection, { queue, count }: Plan, deadline: number): Promise<void> {
  const progress = startProgress();
  for (;;) {
    const report = await admin.queues.get(queue);
    const left = countReady(report) + report.delayed + report.leased;
    if (left === 0) break;
    if (performance.now() > deadline) throw late(queue, left);
    progress.at(`${left} left`, 1 - left / count);
    await sleep(LOOK_MS);
  }
  progress.end();
}

function late(queue: string, left: number): Failure {
  return new Failure(`time is over and ${left} messages are left; \`sluice purge ${queue}\` takes them away`);
}
