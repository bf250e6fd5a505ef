/** The lives of the Worker: one is killed by SIGKILL whatever it does, and another takes its place. */
import type { LocalWorker } from '../../src/dev/worker.ts';
import type { History } from './history.ts';
import type { Chance } from './random.ts';

export interface Lives {
  /** Of the Worker that lives now. */
  url(): string;
  tick(): Promise<void>;
  kills(): number;
  /** No more kills. Resolves when the last is over. */
  stop(): Promise<void>;
}

export interface LivesOptions {
  start: () => Promise<LocalWorker>;
  history: History;
  chance: Chance;
  /** Between kills: this long, up to twice as long. Infinity: none. */
  everyMs: number;
}

export async function beginLives({ start, history, chance, everyMs }: LivesOptions): Promise<Lives> {
  let worker = await start();
  let kills = 0;
  let stopped = false;

  /** Either a gap without any Worker, as in a crash, or two at once, as in a deployment. */
  async function replace(): Promise<void> {
    const victim = worker;
    const gap = chance.happens(0.5);
    if (!gap) worker = await start();
    history.record({ what: 'killed' });
    kills += 1;
    await victim.kill();
    if (gap) worker = await start();
  }

  const reaper = (async () => {
    while (Number.isFinite(everyMs)) {
      const end = performance.now() + everyMs * (1 + chance.next());
      while (performance.now() < end && !stopped) await new Promise((resolve) => setTimeout(resolve, 50));
      if (stopped) return;
      await replace();
    }
  })();

  return {
    url: () => worker.url,
    tick: () => worker.tick(),
    kills: () => kills,
    async stop() {
      stopped = true;
      await reaper;
    },
  };
}
