/** Operations: what an operator does to messages and queues in the store. Each call is bounded and safe to repeat. */
import { type Keys, keysOf } from './keys.ts';
import { scripts } from './scripts.ts';
import { list, type StoreOptions, strings } from './store.ts';

/** Where a cancelled message was. `unseen`: ready or leased, in a lane too long to tell. */
export type Cancelled = 'ready' | 'delayed' | 'dead' | 'leased' | 'unseen' | 'gone';

export type Redriven = 'redriven' | 'gone' | 'missing';

export interface Operations {
  /** A message is never given out again. @throws StorageError */
  cancel(id: string): Promise<Cancelled>;
  /** From the moment this is answered no message of the queue is given out. @throws StorageError */
  pause(queue: string, pool: string): Promise<void>;
  /** @throws StorageError */
  resume(queue: string, pool: string): Promise<void>;
  /** Dead letters back to their lanes: 1 to 200 ids. @throws StorageError */
  redrive(queue: string, ids: string[]): Promise<Redriven[]>;
}

export function openOperations({ runner, prefix, clock }: StoreOptions): Operations {
  const keys: Keys = keysOf(prefix);
  const setPaused = async (queue: string, pool: string, paused: '1' | '0') => {
    await runner.run(scripts.pause, [keys.config], [keys.root, queue, pool, paused]);
  };
  return {
    async cancel(id) {
      const { reply } = await runner.run(scripts.cancel, [keys.timers, keys.failures], [keys.root, id]);
      return reply as Cancelled;
    },
    pause: (queue, pool) => setPaused(queue, pool, '1'),
    resume: (queue, pool) => setPaused(queue, pool, '0'),
    async redrive(queue, ids) {
      const args = [keys.root, clock ? String(clock()) : '', queue, ...ids];
      const { reply } = await runner.run(scripts.redrive, [keys.timers, keys.failures], args);
      return strings(list(reply)) as Redriven[];
    },
  };
}
