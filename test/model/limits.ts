// The model's limits: who has a slot, what a period has given, and what may be taken. Pure, and told by who holds what alone.
import { parseLane } from '../../src/message/lane.ts';

export interface Limited {
  now: number;
  lanes: Record<string, string[]>;
  paused: Set<string>;
  /** The words of each queue's policy, and what operators set over it. */
  policies: Record<string, string>;
  overrides: Record<string, { c?: string; r?: string }>;
  /** Queues whose policy a deployment changed: what waits learns of that by and by, so that only too much is wrong. */
  loosened: Set<string>;
  /** Message to the slot it has. */
  slots: Map<string, { queue: string; group: string; mode: string }>;
  /** '<name> <length of the period> <its number>' to how many it gave. */
  given: Map<string, number>;
}

export function unlimited(now: number): Limited {
  const nobody = { policies: {}, overrides: {}, loosened: new Set<string>(), slots: new Map(), given: new Map() };
  return { now, lanes: {}, paused: new Set(), ...nobody };
}

const groupOf = (lane: string) => (lane.includes('/') ? lane.slice(2) : `${lane.slice(2)}/`);

interface Policy {
  c: number;
  gc: number;
  r?: [number, number] | undefined;
  gr?: [number, number] | undefined;
  mode: string | undefined;
}

function policyOf({ policies, overrides }: Limited, queue: string): Policy {
  const { c, r } = overrides[queue] ?? {};
  const words = ` ${policies[queue] ?? ''} `;
  const number = (text: string | undefined, pattern: RegExp) =>
    pattern
      .exec(text ?? '')
      ?.slice(1)
      .map(Number);
  const [most] = number(c, / c=(\d+)/) ?? number(words, / c=(\d+)/) ?? [];
  const [mostOfGroup] = number(words, / gc=(\d+)/) ?? [];
  const rate = number(r, / r=(\d+)\/(\d+)/) ?? number(words, / r=(\d+)\/(\d+)/);
  const order = / ([ob]) /.exec(words)?.[1];
  return {
    c: most ?? Number.POSITIVE_INFINITY,
    gc: order ? 1 : (mostOfGroup ?? Number.POSITIVE_INFINITY),
    r: rate as Policy['r'],
    gr: number(words, / gr=(\d+)\/(\d+)/) as Policy['gr'],
    mode: order ?? (mostOfGroup ? 'g' : most ? 'q' : undefined),
  };
}

const periodOf = ({ now }: Limited, name: string, per: number) => `${name} ${per} ${Math.floor(now / per)}`;

function rateRoom(model: Limited, name: string, rate: [number, number] | undefined): number {
  return rate ? rate[0] - (model.given.get(periodOf(model, name, rate[1])) ?? 0) : Number.POSITIVE_INFINITY;
}

function queueRoom(model: Limited, queue: string): number {
  const { c, r } = policyOf(model, queue);
  const used = [...model.slots.values()].filter((slot) => slot.mode !== 'w' && slot.queue === queue).length;
  return Math.max(0, Math.min(c - used, rateRoom(model, queue, r)));
}

function groupRoom(model: Limited, lane: string): number {
  const { gc, gr } = policyOf(model, parseLane(lane).queue);
  const group = groupOf(lane);
  const used = [...model.slots.values()].filter((slot) => slot.mode !== 'q' && slot.group === group).length;
  return Math.max(0, Math.min(gc - used, rateRoom(model, group, gr)));
}

/** How many of a lane may be taken now. */
export function roomFor(model: Limited, lane: string): number {
  const { queue } = parseLane(lane);
  return model.paused.has(queue) ? 0 : Math.min(queueRoom(model, queue), groupRoom(model, lane));
}

/** Lanes of which something may be taken now. */
export function served(model: Limited): string[] {
  return Object.keys(model.lanes).filter((lane) => (model.lanes[lane] ?? []).length > 0 && roomFor(model, lane) > 0);
}

/** How many entries may be taken now, over all lanes. */
export function takeable(model: Limited): number {
  const groups = new Map<string, { lane: string; entries: number }>();
  for (const [lane, entries] of Object.entries(model.lanes)) {
    const group = groups.get(groupOf(lane)) ?? { lane, entries: 0 };
    groups.set(groupOf(lane), { lane, entries: group.entries + entries.length });
  }
  const queues = new Map<string, number>();
  for (const { lane, entries } of groups.values()) {
    const { queue } = parseLane(lane);
    if (model.paused.has(queue)) continue;
    queues.set(queue, (queues.get(queue) ?? 0) + Math.min(entries, groupRoom(model, lane)));
  }
  return [...queues].reduce((sum, [queue, entries]) => sum + Math.min(entries, queueRoom(model, queue)), 0);
}

/** One of a lane was taken. */
export function use(model: Limited, id: string, lane: string): void {
  const { queue } = parseLane(lane);
  const { mode, r, gr } = policyOf(model, queue);
  if (mode) model.slots.set(id, { queue, group: groupOf(lane), mode });
  for (const [name, rate] of [
    [queue, r],
    [groupOf(lane), gr],
  ] as const) {
    const period = rate && periodOf(model, name, rate[1]);
    if (period) model.given.set(period, (model.given.get(period) ?? 0) + 1);
  }
}

/** Outside of leases it keeps the slot of its group alone, where order or a death holds that back. */
export function keepGroup({ slots }: Limited, id: string, modes: string): void {
  const slot = slots.get(id);
  if (slot && modes.includes(slot.mode)) slots.set(id, { ...slot, mode: 'w' });
  else slots.delete(id);
}

/** The counts that the store must have. */
export function counts({ slots }: Limited): Record<string, number> {
  const counted: Record<string, number> = {};
  for (const { queue, group, mode } of slots.values()) {
    const names = mode === 'q' ? [queue] : mode === 'w' ? [group] : [queue, group];
    for (const name of names) counted[name] = (counted[name] ?? 0) + 1;
  }
  return counted;
}
