/** Sweeps of this deployment, and ticks: a sweep, and a drain where there is work or will be soon. */
import { Sweeper, type SweepReport, type SweepResult } from '../broker/sweeper.ts';
import type { Budget } from '../drain/budget.ts';
import type { DrainReport } from '../drain/report.ts';
import type { Shard } from '../redis/shard.ts';
import type { Invocation } from '../runtime/invocation.ts';
import type { FireDue } from '../store/due.ts';
import type { Store } from '../store/store.ts';
import type { SweepAnswer } from '../store/sweep.ts';
import type { Capacity } from './capacity.ts';
import type { Claims } from './claims.ts';
import type { Drains } from './drains.ts';
import type { Shards } from './shards.ts';
import type { Waking } from './waking.ts';

export interface SweepsOptions {
  shards: Shards;
  capacity: Capacity;
  claims: Claims;
  drains: Drains;
  waking: Waking;
  /** Only drains of cron poll: there is about one at a time. */
  pollMs: number;
  openStore(shard: Shard): Store;
  fireOn(shard: Shard): FireDue | undefined;
  /** What a tick does with the schedules of the code. */
  followOn(shard: Shard): ((swept: SweepAnswer) => Promise<boolean>) | undefined;
}

export interface Tick {
  sweep: SweepReport;
  drain?: DrainReport;
}

/** Cron tells a drainer of timers that are due within this time: the next tick may come too late for them. */
const TOLD_MS = 120_000;

export class Sweeps {
  readonly #options: SweepsOptions;
  readonly #sweeper = new Sweeper();

  constructor(options: SweepsOptions) {
    this.#options = options;
  }

  /** Fires everything that is due. @throws StorageError */
  async sweep(invocation: Invocation): Promise<SweepReport> {
    const { capacity } = this.#options;
    return (await this.#sweep(capacity.budget(capacity.lives.cron, invocation))).report;
  }

  /** @param isAsked by a request, which waits for it: it ends in time for that @throws StorageError */
  async tick(invocation: Invocation, isAsked: boolean): Promise<Tick> {
    const { shards, capacity, drains, waking, followOn } = this.#options;
    const { cron, asked, fresh } = capacity.lives;
    const budget = capacity.budget(isAsked ? asked : cron, invocation);
    const pollMs = invocation.sleepsMs > 0 ? this.#options.pollMs : 0;
    const swept = await this.#sweep(budget, followOn(shards.ofBudget(budget).all[0]));
    const sweep = swept.report;
    const mayLeave = waking.isLeftToResident || (!swept.ready && pollMs === 0);
    if (mayLeave && (await this.#isLeftToOthers(swept.ready ? 0 : swept.nextInMs, budget))) return { sweep };
    const more = { pollMs, onLeft: waking.leftBy(fresh, invocation) };
    const drain = await waking.drainAndHandOn(invocation, (attention) => drains.run(budget, attention, more));
    return { sweep, drain };
  }

  /** @returns whether a drainer wakes for what is next, or it is too far for this tick, or for any: one loop drains for all of them */
  async #isLeftToOthers(nextInMs: number, budget: Budget): Promise<boolean> {
    const { waking } = this.#options;
    if (nextInMs <= TOLD_MS && (await waking.wakeDrainer(Date.now() + nextInMs, budget.invocation))) return true;
    return waking.isLeftToResident || nextInMs > budget.msToSleep();
  }

  async #sweep(budget: Budget, follow?: (swept: SweepAnswer) => Promise<boolean>): Promise<SweepResult> {
    const { shards, claims, drains, openStore, fireOn } = this.#options;
    const [shard] = shards.ofBudget(budget).all;
    const [store, fire] = [openStore(shard), fireOn(shard)];
    await drains.settleKept(store, fire);
    const swept = await this.#sweeper.sweep({ store, budget, fire, follow });
    if (swept.ready) claims.noteWork();
    return swept;
  }
}
