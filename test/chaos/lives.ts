/** The lives of the Worker: one is killed by SIGKILL whatever it does, and another takes its place. */
import type { LocalWorker } from '../../src/dev/worker.ts';
import type { History } from './history.ts';
import type { Chance } from './random.ts';

export interface Lives {
  /** Of the Worker that lives now. */
  url(): string;
  tick(): Promise<void>;
  kills(): number;
  /** The next kill is now, unless the last was just before. */
  strike(): void;
  /** While this holds only a strike kills. */
  spare(condition: () => boolean): void;
  /** No more kills. Resolves when the last is over. */
  stop(): Promise<void>;
  /** Ends the Worker that lives now. */
  end(): Promise<void>;
}

export interface LivesOptions {
  start: () => Promise<LocalWorker>;
  history: History;
  chance: Chance;
  /** Between kills: this long, up to twice as long. Infinity: none. */
  everyMs: number;
  /** Called with the address of each that is about to be killed. */
  onKill: (url: string) => void;
}

/** Between two kills, of their usual time. */
const LEAST_SHARE = 0.25;

export async function beginLives({ start, history, chance, everyMs, onKill }: LivesOptions): Promise<Lives> {
  let worker = await start();
  let kills = 0;
  let stopped = false;
  let lastAt = performance.now();
  let strike = () => {};
  let isSpared = () => false;

  /** Either a gap without any Worker, as in a crash, or two at once, as in a deployment. */
  async function replace(isStruck: boolean): Promise<void> {
    const victim = worker;
    const gap = chance.happens(0.5) || isStruck;
    if (!gap) worker = await start();
    history.record({ what: 'killed' });
    kills += 1;
    onKill(victim.url);
    await victim.kill();
    if (gap) worker = await start();
  }

  const reaper = (async () => {
    while (Number.isFinite(everyMs)) {
      let isStruck = false;
      const struck = new Promise<void>((resolve) => {
        strike = () => {
          isStruck = true;
          resolve();
        };
      });
      const end = performance.now() + everyMs * (1 + chance.next());
      while ((performance.now() < end || isSpared()) && !stopped && !isStruck) {
        await Promise.race([struck, new Promise((resolve) => setTimeout(resolve, 50))]);
      }
      if (stopped) return;
      await replace(isStruck);
      lastAt = performance.now();
    }
  })();

  return {
    url: () => worker.url,
    tick: () => worker.tick(),
    kills: () => kills,
    strike() {
      if (performance.now() - lastAt > everyMs * LEAST_SHARE) strike();
    },
    spare(condition) {
      isSpared = condition;
    },
    async stop() {
      stopped = true;
      await reaper;
    },
    end: () => worker.kill(),
  };
}
