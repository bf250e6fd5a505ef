/** Sweeps of this deployment, and ticks: a sweep, and a drain where there is work or will be soon. */
import { Sweeper, type SweepReport, type SweepResult } from '../broker/sweeper.ts';
import type { Budget } from '../drain/budget.ts';
import type { DrainReport } from '../drain/report.ts';
import { logWarning, nameOfError } from '../log.ts';
import type { Shard } from '../redis/shard.ts';
import type { Invocation } from '../runtime/invocation.ts';
import type { Fleet } from '../shards/fleet.ts';
import type { FireDue } from '../store/due.ts';
import type { Store } from '../store/store.ts';
import type { SweepAnswer } from '../store/sweep.ts';
import type { Capacity } from './capacity.ts';
import type { Claims } from './claims.ts';
import type { Drains } from './drains.ts';
import type { Shards } from './shards.ts';
import { sideBySide } from './side-by-side.ts';
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
  /** What a tick brings to its end of what was changed among the shards. Undefined where nobody changes them here. */
  tend: ((fleet: Fleet, isClosing: () => boolean) => Promise<unknown>) | undefined;
}

export interface Tick {
  sweep: SweepReport;
  drain?: DrainReport;
}

/** Cron tells a drainer of timers that are due within this time: the next tick may come too late for them. */
const TOLD_MS = 120_000;

/** The sweeps of all shards together. */
interface Swept {
  report: SweepReport;
  /** Work is ready on one of them. */
  ready: boolean;
  /** In how many ms the first timer of all is due. */
  nextInMs: number;
  /** Of each that answered, by its name. */
  each: Map<string, SweepResult>;
  /** Why another did not. */
  failure?: { error: unknown };
}

export class Sweeps {
  readonly #options: SweepsOptions;
  /** Of each shard, by its name: each goes on where it stood. */
  readonly #sweepers = new Map<string, Sweeper>();

  constructor(options: SweepsOptions) {
    this.#options = options;
  }

  /** Fires everything that is due. @throws StorageError where a shard did not answer: those that did are swept */
  async sweep(invocation: Invocation): Promise<SweepReport> {
    const { capacity } = this.#options;
    const { report, failure } = await this.#sweepAll(capacity.budget(capacity.lives.cron, invocation));
    if (failure) throw failure.error;
    return report;
  }

  /**
   * @param isAsked by a request, which waits for it: it ends in time for that
   * @throws StorageError where a shard did not answer: the others are swept and drained all the same
   */
  async tick(invocation: Invocation, isAsked: boolean): Promise<Tick> {
    const { capacity, drains, waking, followOn } = this.#options;
    const { cron, asked, fresh } = capacity.lives;
    const budget = capacity.budget(isAsked ? asked : cron, invocation);
    const pollMs = invocation.sleepsMs > 0 ? this.#options.pollMs : 0;
    const swept = await this.#sweepAll(budget, followOn);
    const tick: Tick = { sweep: swept.report };
    await this.#tend(budget);
    const mayLeave = waking.isLeftToResident || (!swept.ready && pollMs === 0);
    if (!mayLeave || !(await this.#isLeftToOthers(swept.ready ? 0 : swept.nextInMs, budget))) {
      const woken = pollMs > 0 ? undefined : this.#namesWithWork(swept, budget);
      const more = { pollMs, woken, onLeft: waking.leftBy(fresh, invocation) };
      tick.drain = await waking.drainAndHandOn(invocation, (attention) => drains.run(budget, attention, more));
    }
    if (swept.failure) throw swept.failure.error;
    return tick;
  }

  /** Nobody waits for it: what it could not do, another tick does. */
  async #tend(budget: Budget): Promise<void> {
    const { shards, tend } = this.#options;
    if (!tend || !shards.topology.isMany) return;
    try {
      await tend(shards.ofBudget(budget), budget.isClosing);
    } catch (error) {
      logWarning('shards not tended', { error: nameOfError(error) });
    }
  }

  /** The shards where work is ready, or will be while a drain can sleep for it. */
  #namesWithWork({ each }: Swept, budget: Budget): string[] {
    const withWork = [...each].filter(([, { ready, nextInMs }]) => ready || nextInMs <= budget.msToSleep());
    return withWork.map(([name]) => name);
  }

  /** @returns whether a drainer wakes for what is next, or it is too far for this tick, or for any: one loop drains for all of them */
  async #isLeftToOthers(nextInMs: number, budget: Budget): Promise<boolean> {
    const { waking } = this.#options;
    if (nextInMs <= TOLD_MS && (await waking.wakeDrainer(Date.now() + nextInMs, budget.invocation))) return true;
    return waking.isLeftToResident || nextInMs > budget.msToSleep();
  }

  /** All shards side by side. @throws where none of them was swept */
  async #sweepAll(budget: Budget, followOn?: SweepsOptions['followOn']): Promise<Swept> {
    const { shards, claims, capacity } = this.#options;
    const fleet = shards.ofBudget(budget);
    await fleet.ready(); // a sweep leaves notes, and who begins the map takes a shard with notes for one that was the only one
    const results = await sideBySide(fleet.all, capacity.mostRequests, (shard) =>
      this.#sweep(shard, budget, followOn?.(shard)),
    );
    const swept: Swept = { report: emptyReport(), ready: false, nextInMs: Number.POSITIVE_INFINITY, each: new Map() };
    for (const [place, result] of results.entries()) {
      const name = fleet.all[place]?.identity.name ?? '';
      if (result.status === 'fulfilled') add(swept, name, result.value);
      else swept.failure ??= { error: result.reason };
    }
    if (swept.ready) claims.noteWork();
    if (swept.failure && swept.each.size === 0) throw swept.failure.error;
    await this.#heal(fleet, swept.each);
    return swept;
  }

  async #sweep(shard: Shard, budget: Budget, follow?: (swept: SweepAnswer) => Promise<boolean>): Promise<SweepResult> {
    const { drains, openStore, fireOn } = this.#options;
    const { name } = shard.identity;
    const [store, fire] = [openStore(shard), fireOn(shard)];
    await drains.settleKept({ name, store, fire });
    const sweeper = this.#sweepers.get(name) ?? new Sweeper();
    this.#sweepers.set(name, sweeper);
    return sweeper.sweep({ store, budget, fire, follow });
  }

  /** What a sweep learns of the map of the shards: that there is a newer one, or that a shard has missed it. */
  async #heal(fleet: Fleet, each: Map<string, SweepResult>): Promise<void> {
    const { topology } = fleet;
    const asked = [...each].flatMap(([name, { epoch }]) => (epoch === undefined ? [] : [{ name, epoch }]));
    const newest = Math.max(0, ...asked.map(({ epoch }) => epoch));
    if (!topology.isMany || newest === 0) return;
    topology.noteEpoch(newest);
    const old = asked.filter(({ epoch }) => epoch < newest);
    if (old.length === 0) return;
    try {
      await fleet.ready();
      for (const { name } of old) await topology.heal(fleet.named(name));
    } catch (error) {
      logWarning('map of the shards not completed', { error: nameOfError(error) }); // the next sweep that asks does it
    }
  }
}

const emptyReport = (): SweepReport => ({ fired: 0, requeued: 0, dead: 0, repaired: 0 });

function add(swept: Swept, name: string, result: SweepResult): void {
  const { report, ready, nextInMs } = result;
  swept.each.set(name, result);
  swept.ready ||= ready;
  swept.nextInMs = Math.min(swept.nextInMs, nextInMs);
  for (const what of Object.keys(swept.report) as (keyof SweepReport)[]) swept.report[what] += report[what];
}
