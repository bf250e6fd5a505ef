/** What else a Worker on Cloudflare may export: a Durable Object that drains. */
import { DurableObject } from 'cloudflare:workers';
import type { Sluice } from './sluice.ts';

/** `export const SluiceDrainer = drainerOf(sluice)`: used where it is bound as DRAINER. */
export function drainerOf<Env extends object>(sluice: Sluice<Env>) {
  return class SluiceDrainer extends DurableObject<Env> {
    readonly #drainer = sluice.drainer(this.env, this.ctx);

    wake(at: number): Promise<boolean> {
      return this.#drainer.wake(at);
    }

    override alarm(): Promise<void> {
      return this.#drainer.alarm();
    }
  };
}
