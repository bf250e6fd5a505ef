/** Operators over the HTTP API: they cancel what was just stored, pause and resume queues, and put dead letters back. */
import type { History } from '../history.ts';
import { PULL_QUEUES } from '../messages.ts';
import type { Chance } from '../random.ts';
import type { Deployment } from './deployment.ts';

export interface OperatorOptions {
  deployment: Deployment;
  history: History;
  chance: Chance;
  isOver: () => boolean;
}

const EVERY_MS = 60;
const PAUSED_MS = 700;
const DEAD_LETTERS = 5;

/** A call that was not answered is left at that, for it may be done all the same, on each shard or on some. */
export async function operate({ deployment, history, chance, isOver }: OperatorOptions): Promise<void> {
  const pausedUntil = new Map<string, number>();
  while (!isOver()) {
    const queue = chance.pick(PULL_QUEUES);
    if (chance.happens(0.7)) await cancelOne(deployment, history, chance);
    else if (chance.happens(0.5)) {
      await deployment.call('POST', `/v1/queues/${queue}/dead/redrive`, { limit: DEAD_LETTERS });
    } else if (!pausedUntil.has(queue)) {
      pausedUntil.set(queue, performance.now() + PAUSED_MS);
      await deployment.call('POST', `/v1/queues/${queue}/pause`);
    }
    for (const [paused, until] of pausedUntil) {
      if (performance.now() > until && (await resume(deployment, paused))) pausedUntil.delete(paused);
    }
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  }
}

/** Until nothing that was sent late can pause them again. */
export async function resumeAll(deployment: Deployment): Promise<void> {
  for (const queue of PULL_QUEUES) while (!(await resume(deployment, queue)));
}

const resume = (deployment: Deployment, queue: string) => deployment.call('POST', `/v1/queues/${queue}/resume`);

async function cancelOne(deployment: Deployment, { events }: History, chance: Chance): Promise<void> {
  const latest = events.findLast((event) => event.what === 'stored' && event.messages.length > 0);
  if (latest?.what === 'stored') await deployment.call('DELETE', `/v1/messages/${chance.pick(latest.messages).id}`);
}
