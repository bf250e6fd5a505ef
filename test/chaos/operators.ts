/** Operators: they cancel what was just stored, pause and resume queues, and put dead letters back, whatever else goes on. */
import { StorageError } from '../../src/errors.ts';
import type { AdminStore } from '../../src/store/admin.ts';
import type { History } from './history.ts';
import { PULL_QUEUES } from './messages.ts';
import type { Chance } from './random.ts';

export interface OperatorOptions {
  adminStore: AdminStore;
  history: History;
  chance: Chance;
  isOver: () => boolean;
}

const EVERY_MS = 60;
const PAUSED_MS = 700;
const DEAD_LETTERS = 5;

/** Ends with every queue resumed; a call that was not answered is left at that, for it may be done all the same. */
export async function operate({ adminStore, history, chance, isOver }: OperatorOptions): Promise<void> {
  const queues = new Map(PULL_QUEUES.map((queue) => [queue, 0]));
  while (!isOver()) {
    const queue = chance.pick(PULL_QUEUES);
    await attempt(async () => {
      if (chance.happens(0.7)) await cancelOne(adminStore, history, chance);
      else if (chance.happens(0.5)) await redriveSome(adminStore, queue);
      else if (!queues.get(queue)) {
        queues.set(queue, performance.now() + PAUSED_MS);
        await adminStore.pause(queue, queue);
      }
    });
    for (const [paused, until] of queues) {
      if (until === 0 || performance.now() < until) continue;
      if (await attempt(() => adminStore.resume(paused, paused))) queues.set(paused, 0);
    }
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  }
}

/** Until nothing that was sent late can pause them again. */
export async function resumeAll(adminStore: AdminStore): Promise<void> {
  for (const queue of PULL_QUEUES) while (!(await attempt(() => adminStore.resume(queue, queue))));
}

async function cancelOne(adminStore: AdminStore, { events }: History, chance: Chance): Promise<void> {
  const latest = events.findLast((event) => event.what === 'stored');
  if (latest?.what === 'stored') await adminStore.cancel(chance.pick(latest.messages).id);
}

async function redriveSome(adminStore: AdminStore, queue: string): Promise<void> {
  const { messages } = await adminStore.browse(queue, 'dead', DEAD_LETTERS, '', false);
  const ids = messages.map(({ entry }) => entry.slice(entry.indexOf('.') + 1));
  if (ids.length > 0) await adminStore.redrive(queue, ids);
}

/** @returns whether it was answered */
async function attempt(call: () => Promise<unknown>): Promise<boolean> {
  try {
    await call();
    return true;
  } catch (error) {
    if (error instanceof StorageError) return false;
    throw error;
  }
}
