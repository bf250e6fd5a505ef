// The reference model: what the store promises, in plain lists and maps. Pure; it knows neither Redis nor scripts.
import { parseEntry } from '../../src/message.ts';
import type { Redriven } from '../../src/store/operations.ts';
import type { ExchangeRequest, Settlement, Status } from '../../src/store/store.ts';

interface Envelope {
  lane: string;
  maxAttempts: number;
  cancelled: boolean;
}

/** Lists stand as in Redis: left is the tail of a lane and the newest of a lease. */
export interface Model {
  now: number;
  lanes: Record<string, string[]>;
  leases: Record<string, string[]>;
  /** Lease to expiry. */
  expiries: Record<string, number>;
  /** Entry to due. */
  delayed: Record<string, number>;
  /** Entry to queue. */
  dead: Record<string, string>;
  envelopes: Record<string, Envelope>;
  paused: Set<string>;
}

export function newModel(now: number): Model {
  return { now, lanes: {}, leases: {}, expiries: {}, delayed: {}, dead: {}, envelopes: {}, paused: new Set() };
}

const queueOf = (lane: string) => lane.slice(2).split('/')[0] ?? '';
const idOf = (entry: string) => parseEntry(entry).id;
const next = (entry: string) => `${parseEntry(entry).attempt + 1}.${idOf(entry)}`;

function push(model: Model, lane: string, side: 'tail' | 'head', entries: string[]): void {
  model.lanes[lane] ??= [];
  const list = model.lanes[lane];
  for (const entry of entries) {
    if (side === 'tail') list.unshift(entry);
    else list.push(entry);
  }
}

export function enqueue(model: Model, ids: string[], lane: string, delayMs: number, maxAttempts: number): void {
  for (const id of ids) {
    model.envelopes[id] = { lane, maxAttempts, cancelled: false };
    if (delayMs > 0) model.delayed[`1.${id}`] = model.now + delayMs;
    else push(model, lane, 'tail', [`1.${id}`]);
  }
}

/** Everything that is due, but the expiry of `own`. */
export function fire(model: Model, own?: string): void {
  const due = Object.entries(model.delayed)
    .filter(([, at]) => at <= model.now)
    .map(([entry, at]) => ({ entry, at, member: `m * ${model.envelopes[idOf(entry)]?.lane} ${entry}` }))
    .toSorted((a, b) => a.at - b.at || (a.member < b.member ? -1 : 1));
  for (const { entry } of due) delete model.delayed[entry];
  const laneOf = (entry: string) => model.envelopes[idOf(entry)]?.lane ?? '';
  const again = due.filter(({ entry }) => parseEntry(entry).attempt > 1);
  for (const { entry } of due.filter((timer) => !again.includes(timer))) push(model, laneOf(entry), 'tail', [entry]);
  for (const { entry } of again.toReversed()) push(model, laneOf(entry), 'head', [entry]);

  const lapsed = Object.entries(model.expiries)
    .filter(([lease, at]) => at <= model.now && lease !== own)
    .toSorted(([a, aAt], [b, bAt]) => aAt - bAt || (`l ${a}` < `l ${b}` ? -1 : 1));
  for (const [lease] of lapsed) lapse(model, lease);
}

function lapse(model: Model, lease: string): void {
  for (const entry of model.leases[lease] ?? []) {
    const envelope = model.envelopes[idOf(entry)];
    if (envelope?.cancelled) delete model.envelopes[idOf(entry)];
    else if (envelope && parseEntry(entry).attempt < envelope.maxAttempts)
      push(model, envelope.lane, 'head', [next(entry)]);
    else if (envelope) model.dead[entry] = queueOf(envelope.lane);
  }
  delete model.leases[lease];
  delete model.expiries[lease];
}

export interface Expected {
  lost: boolean;
  statuses: Status[];
  /** Taken before, and lost on the way: they come first. */
  inTransit: string[];
  /** How many more must come out of lanes. */
  fresh: number;
}

/** All of an exchange but the taking: which lanes take turns is the store's to choose, `take` judges it. */
export function exchange(model: Model, { lease, leaseMs, held, want, settlements }: ExchangeRequest): Expected {
  fire(model, lease);
  const list = model.leases[lease] ?? [];
  const statuses = settlements.map((settlement) => settle(model, list, settlement));
  giveBack(model, list, settlements, statuses);
  const settled = new Set(
    settlements.filter((_, i) => !['stale', 'lost'].includes(statuses[i] ?? '')).map(({ entry }) => entry),
  );
  const remaining = list.filter((entry) => !settled.has(entry));
  const lost = remaining.length < held;
  const inTransit = lost ? [] : remaining.slice(0, remaining.length - held).toReversed();
  const known = new Set(remaining.slice(remaining.length - held));
  const dropped = new Set(inTransit.filter((entry) => model.envelopes[idOf(entry)]?.cancelled));
  for (const entry of dropped) delete model.envelopes[idOf(entry)];
  model.leases[lease] = remaining.filter((entry) => known.has(entry) || !dropped.has(entry));
  model.expiries[lease] = model.now + leaseMs;
  const fresh = lost ? 0 : Math.min(Math.max(0, want - inTransit.length), available(model));
  return { lost, statuses, inTransit: inTransit.filter((entry) => !dropped.has(entry)), fresh };
}

function settle(model: Model, list: string[], { entry, outcome, delayMs = 0 }: Settlement): Status {
  const id = idOf(entry);
  const envelope = model.envelopes[id];
  if (!list.includes(entry)) return envelope && !envelope.cancelled ? 'stale' : 'gone';
  if (outcome === 'ack' || !envelope || envelope.cancelled) {
    delete model.envelopes[id];
    return outcome === 'ack' && !envelope?.cancelled ? 'acked' : 'gone';
  }
  if (outcome === 'release') {
    if (delayMs > 0) model.delayed[entry] = model.now + delayMs;
    return 'released';
  }
  if (outcome === 'retry' && parseEntry(entry).attempt < envelope.maxAttempts) {
    model.delayed[next(entry)] = model.now + delayMs;
    return 'retried';
  }
  model.dead[entry] = queueOf(envelope.lane);
  return 'dead';
}

/** Released at once: from the newest to the oldest, so that the oldest stands at the head. */
function giveBack(model: Model, list: string[], settlements: Settlement[], statuses: Status[]): void {
  const released = settlements.filter(({ delayMs = 0 }, i) => statuses[i] === 'released' && delayMs === 0);
  for (const entry of list) {
    const lane = model.envelopes[idOf(entry)]?.lane;
    if (lane && released.some((settlement) => settlement.entry === entry)) push(model, lane, 'head', [entry]);
  }
}

function served(model: Model): [string, string[]][] {
  return Object.entries(model.lanes).filter(([lane, list]) => list.length > 0 && !model.paused.has(queueOf(lane)));
}

const available = (model: Model) => served(model).reduce((sum, [, list]) => sum + list.length, 0);

/** @returns what is wrong with taking these, in this order; then they are in the lease */
export function take(model: Model, lease: string, taken: string[]): string[] {
  const faults: string[] = [];
  for (const entry of taken) {
    const lane = model.envelopes[idOf(entry)]?.lane ?? '';
    const list = model.lanes[lane] ?? [];
    if (model.paused.has(queueOf(lane))) faults.push(`${entry} was given out although ${lane} is paused`);
    if (list.at(-1) !== entry) faults.push(`${entry} was taken before ${list.at(-1)} of ${lane}`);
    const urgent = served(model).find(([other]) => (other[0] ?? '') < (lane[0] ?? ''));
    if (urgent) faults.push(`${entry} overtook ${urgent[0]}`);
    model.lanes[lane] = list.filter((other) => other !== entry);
    model.leases[lease] ??= [];
    model.leases[lease].unshift(entry);
  }
  return faults;
}

export function cancel(model: Model, id: string): string {
  const envelope = model.envelopes[id];
  if (!envelope) return 'gone';
  const is = (entry: string) => idOf(entry) === id;
  const waiting = Object.keys(model.delayed).find(is);
  const dead = Object.keys(model.dead).find(is);
  const ready = model.lanes[envelope.lane]?.find(is);
  if (!waiting && !dead && !ready) {
    envelope.cancelled = true;
    return 'leased';
  }
  delete model.envelopes[id];
  if (waiting) delete model.delayed[waiting];
  if (dead) delete model.dead[dead];
  if (ready) model.lanes[envelope.lane] = (model.lanes[envelope.lane] ?? []).filter((entry) => entry !== ready);
  if (waiting) return 'delayed';
  return dead ? 'dead' : 'ready';
}

export function redrive(model: Model, queue: string, id: string): Redriven {
  const entry = Object.keys(model.dead).find((dead) => idOf(dead) === id && model.dead[dead] === queue);
  if (!entry) return 'gone';
  delete model.dead[entry];
  push(model, model.envelopes[id]?.lane ?? '', 'tail', [`1r.${id}`]);
  return 'redriven';
}
