// The reference model: what the store promises, in plain lists and maps. Pure; it knows neither Redis nor scripts.
import { parseEntry } from '../../src/message/ids.ts';
import type { Redriven } from '../../src/store/admin-messages.ts';
import type { Settlement, Status } from '../../src/store/encode-settlements.ts';
import type { SyncRequest } from '../../src/store/sync.ts';
import * as limits from './limits.ts';

interface Envelope {
  lane: string;
  maxAttempts: number;
  cancelled: boolean;
  callbacks: Callback[];
  dedup?: { key: string; release: boolean } | undefined;
}

export interface Callback {
  on: 'done' | 'dead';
  lane: string;
  delayMs: number;
}

/** Lists stand as in Redis: left is the tail of a lane and the newest of a lease. */
export interface Model extends limits.Limited {
  lanes: Record<string, string[]>;
  leases: Record<string, string[]>;
  /** Lease to expiry. */
  expiries: Record<string, number>;
  /** Entry to due. */
  delayed: Record<string, number>;
  /** Entry to queue. */
  dead: Record<string, string>;
  envelopes: Record<string, Envelope>;
  /** Dedup key to id. */
  dedups: Record<string, string>;
}

export function newModel(now: number): Model {
  return {
    ...limits.unlimited(now),
    lanes: {},
    leases: {},
    expiries: {},
    delayed: {},
    dead: {},
    envelopes: {},
    dedups: {},
  };
}

const queueOf = (lane: string) => lane.slice(2).split('/')[0] ?? '';
const groupOf = (lane: string) => lane.slice(2);
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

export interface Admitted {
  lane: string;
  delayMs: number;
  maxAttempts: number;
  callbacks?: Callback[];
  dedup?: { key: string; release: boolean; replaces?: boolean } | undefined;
}

/** The first with its key waits: it has the new body, and where it was tried before is a new message. @returns its id */
function replaceFirst(model: Model, first: string, message: Partial<Envelope>): string | undefined {
  const isFirst = (entry: string) => idOf(entry) === first;
  const envelope = model.envelopes[first];
  const list = model.lanes[envelope?.lane ?? ''] ?? [];
  const waiting = Object.keys(model.delayed).find(isFirst);
  const entry = waiting ?? list.find(isFirst);
  if (!envelope || !entry) return undefined;
  if (!entry.startsWith('1.')) Object.assign(envelope, message);
  if (waiting) {
    const due = model.delayed[waiting] as number;
    delete model.delayed[waiting];
    model.delayed[`1.${first}`] = due;
  } else {
    list[list.indexOf(entry)] = `1.${first}`;
  }
  return first;
}

/** @returns the id of the message that it took the place of */
export function enqueue(model: Model, id: string, message: Admitted): string | undefined {
  const { lane, delayMs, maxAttempts, callbacks = [], dedup } = message;
  const first = dedup && model.dedups[dedup.key];
  if (first && dedup.replaces) {
    const replaced = replaceFirst(model, first, { maxAttempts, callbacks, dedup });
    if (replaced) return replaced;
  }
  const waiting = first && Object.keys(model.delayed).find((entry) => idOf(entry) === first);
  const leaves = first && model.slots.has(first) && groupOf(model.envelopes[first]?.lane ?? '') !== groupOf(lane);
  if (first && waiting && !leaves && !dedup.replaces) {
    delete model.delayed[waiting]; // a new message from now on
    Object.assign(model.envelopes[first] ?? {}, { lane, maxAttempts, dedup, callbacks });
    model.delayed[`1.${first}`] = model.now + delayMs;
    return first;
  }
  model.envelopes[id] = { lane, maxAttempts, cancelled: false, callbacks, dedup };
  if (dedup) model.dedups[dedup.key] = id;
  if (delayMs > 0) model.delayed[`1.${id}`] = model.now + delayMs;
  else push(model, lane, 'tail', [`1.${id}`]);
  return undefined;
}

/** What follows on an end; @param name what the ids of those that follow on a death end in */
function follow(model: Model, id: string, on: 'done' | 'dead', name = ''): void {
  model.envelopes[id]?.callbacks.forEach((callback, i) => {
    if (callback.on === on) enqueue(model, `${id}-${on}${i + 1}${name}`, { ...callback, maxAttempts: 5 });
  });
}

function endDedup(model: Model, id: string, always = false): void {
  const { key, release } = model.envelopes[id]?.dedup ?? {};
  if (key && (always || release) && model.dedups[key] === id) delete model.dedups[key];
}

/** Its slot stays with it where its group is to be held back. */
function die(model: Model, entry: string): void {
  const id = idOf(entry);
  model.dead[entry] = queueOf(model.envelopes[id]?.lane ?? '');
  limits.keepGroup(model, id, 'b');
  endDedup(model, id);
  follow(model, id, 'dead', `-${Math.floor(model.now)}`);
}

/** It waits; only order keeps its slot meanwhile. */
function wait(model: Model, entry: string, delayMs: number): void {
  model.delayed[entry] = model.now + delayMs;
  limits.keepGroup(model, idOf(entry), 'ob');
}

/** Everything that is due, but the expiry of `own`. */
export function fire(model: Model, own?: string): void {
  const formatLane = (entry: string) => model.envelopes[idOf(entry)]?.lane ?? '';
  const holds = (entry: string) => model.slots.has(idOf(entry));
  const due = Object.entries(model.delayed)
    .filter(([, at]) => Math.floor(at) <= model.now)
    .map(([entry, at]) => ({ entry, at }))
    .toSorted((a, b) => a.at - b.at); // stable: what shares an instant comes as it came in
  for (const { entry } of due) delete model.delayed[entry];
  const again = due.filter(({ entry }) => parseEntry(entry).attempt > 1 || holds(entry));
  for (const { entry } of due.filter((timer) => !again.includes(timer)))
    push(model, formatLane(entry), 'tail', [entry]);
  for (const { entry } of again.toReversed()) {
    push(model, formatLane(entry), 'head', [entry]);
    model.slots.delete(idOf(entry));
  }

  const lapsed = Object.entries(model.expiries)
    .filter(([lease, at]) => Math.floor(at) <= model.now && lease !== own)
    .toSorted(([, a], [, b]) => a - b);
  const back = lapsed.flatMap(([lease]) => lapse(model, lease));
  // What was taken first stands at the head, and what follows on its death before what follows on another.
  for (const entry of back.toReversed()) push(model, formatLane(entry), 'head', [entry]);
}

/** @returns what comes again, in the order in which it was taken */
function lapse(model: Model, lease: string): string[] {
  const back: string[] = [];
  for (const entry of (model.leases[lease] ?? []).toReversed()) {
    const id = idOf(entry);
    const envelope = model.envelopes[id];
    if (envelope?.cancelled) remove(model, id);
    else if (envelope && parseEntry(entry).attempt < envelope.maxAttempts) {
      model.slots.delete(id);
      back.push(next(entry));
    } else if (envelope) die(model, entry);
  }
  delete model.leases[lease];
  delete model.expiries[lease];
  return back;
}

/** Without a trace. */
function remove(model: Model, id: string): void {
  delete model.envelopes[id];
  model.slots.delete(id);
}

export interface Expected {
  lost: boolean;
  statuses: Status[];
  /** Taken before, and lost on the way: they come first. */
  inTransit: string[];
  /** What the caller holds that nobody wants any more. */
  cancelled: string[];
  /** How many more must come out of lanes. */
  fresh: number;
}

/** All of a sync but the taking: which lanes take turns is the store's to choose, `take` judges it. */
export function sync(model: Model, { lease, leaseMs, held, want, settlements }: SyncRequest): Expected {
  fire(model, lease);
  const list = model.leases[lease] ?? [];
  const statuses: Status[] = [];
  const places = inOrderTaken(list, settlements);
  // What follows, and what handlers enqueue, comes in the order in which their messages were taken, as all that settling moves does.
  for (const place of places) {
    const { chained = [], ...settlement } = settlements[place] as Settlement;
    statuses[place] = settle(model, list, settlement);
    if (statuses[place] !== 'acked') continue;
    for (const { id, lane, delayMs, maxAttempts } of chained) enqueue(model, id, { lane, delayMs, maxAttempts });
  }
  giveBack(model, list, settlements, statuses);
  const settled = new Set(
    settlements.filter((_, i) => !['stale', 'lost'].includes(statuses[i] ?? '')).map(({ entry }) => entry),
  );
  const isCancelled = (entry: string) => model.envelopes[idOf(entry)]?.cancelled === true;
  const remaining = list.filter((entry) => !settled.has(entry));
  const lost = remaining.length < held;
  const inTransit = lost
    ? []
    : remaining
        .slice(0, remaining.length - held)
        .toReversed()
        .slice(0, want);
  const known = remaining.slice(remaining.length - held);
  const cancelled = lost ? [] : known.filter(isCancelled);
  const dropped = new Set(inTransit.filter(isCancelled));
  const missing = lost ? 0 : Math.max(0, want - inTransit.length);
  const fresh = Math.min(missing, limits.takeable(model)); // slots of what is dropped are free from the next sync on
  for (const entry of dropped) remove(model, idOf(entry));
  model.leases[lease] = remaining.filter((entry) => !dropped.has(entry));
  model.expiries[lease] = model.now + leaseMs;
  return { lost, statuses, inTransit: inTransit.filter((entry) => !dropped.has(entry)), cancelled, fresh };
}

/** The places of settlements, those first whose messages were taken first. */
function inOrderTaken(list: string[], settlements: readonly Settlement[]): number[] {
  const placeOf = (place: number) => list.indexOf(settlements[place]?.entry ?? '');
  return [...settlements.keys()].toSorted((a, b) => placeOf(b) - placeOf(a));
}

function settle(model: Model, list: string[], { entry, outcome, delayMs = 0 }: Settlement): Status {
  const id = idOf(entry);
  const envelope = model.envelopes[id];
  if (!list.includes(entry)) return envelope && !envelope.cancelled ? 'stale' : 'gone';
  if (outcome === 'ack' || !envelope || envelope.cancelled) {
    const isDone = outcome === 'ack' && !envelope?.cancelled;
    if (isDone) endDedup(model, id);
    if (isDone) follow(model, id, 'done');
    remove(model, id);
    return isDone ? 'acked' : 'gone';
  }
  if (outcome === 'release') {
    if (delayMs > 0) wait(model, entry, delayMs);
    else model.slots.delete(id);
    return 'released';
  }
  if (outcome === 'retry' && parseEntry(entry).attempt < envelope.maxAttempts) {
    wait(model, next(entry), delayMs);
    return 'retried';
  }
  die(model, entry);
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

/** @returns what is wrong with taking these, in this order; then they are in the lease */
export function take(model: Model, lease: string, taken: string[]): string[] {
  const faults: string[] = [];
  for (const entry of taken) {
    const lane = model.envelopes[idOf(entry)]?.lane ?? '';
    const list = model.lanes[lane] ?? [];
    if (list.at(-1) !== entry) faults.push(`${entry} was taken before ${list.at(-1)} of ${lane}`);
    if (limits.roomFor(model, lane) <= 0) faults.push(`${entry} of ${lane} was given out although it has no room`);
    const urgent = limits.served(model).find((other) => (other[0] ?? '') < (lane[0] ?? ''));
    if (urgent && !model.loosened.has(queueOf(urgent))) faults.push(`${entry} of ${lane} overtook ${urgent}`);
    model.lanes[lane] = list.filter((other) => other !== entry);
    model.leases[lease] ??= [];
    model.leases[lease].unshift(entry);
    limits.use(model, idOf(entry), lane);
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
  endDedup(model, id, true);
  if (!waiting && !dead && !ready) {
    envelope.cancelled = true;
    return 'leased';
  }
  drop(model, id);
  if (waiting) return 'delayed';
  return dead ? 'dead' : 'ready';
}

/** Wherever it is, but in a lease. */
function drop(model: Model, id: string): void {
  const lane = model.envelopes[id]?.lane ?? '';
  for (const places of [model.delayed, model.dead]) {
    for (const entry of Object.keys(places)) if (idOf(entry) === id) delete places[entry];
  }
  model.lanes[lane] = (model.lanes[lane] ?? []).filter((entry) => idOf(entry) !== id);
  remove(model, id);
}

/** All but what is leased. */
export function purge(model: Model, queue: string): void {
  const leased = new Set(Object.values(model.leases).flat().map(idOf));
  for (const [id, { lane }] of Object.entries(model.envelopes)) {
    if (queueOf(lane) !== queue || leased.has(id)) continue;
    endDedup(model, id, true);
    drop(model, id);
  }
}

export function redrive(model: Model, queue: string, id: string): Redriven {
  const entry = Object.keys(model.dead).find((dead) => idOf(dead) === id && model.dead[dead] === queue);
  if (!entry) return 'gone';
  delete model.dead[entry];
  push(model, model.envelopes[id]?.lane ?? '', model.slots.has(id) ? 'head' : 'tail', [`1r.${id}`]);
  model.slots.delete(id);
  return 'redriven';
}
