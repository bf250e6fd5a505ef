// What a shard holds, read straight from Redis, and the invariants of the design judged on it.
import type { Cluster, Redis } from 'ioredis';

export interface Shard {
  /** Entries from left (tail) to right (head), those of its parts among them. */
  lanes: Record<string, string[]>;
  /** The lists that lanes are divided into, and of each that has parts their numbers. */
  parts: Record<string, string[]>;
  divided: Record<string, string>;
  leases: Record<string, string[]>;
  /** Those in overflow among them. */
  timers: Record<string, number>;
  /** Record of overflow → its members. */
  overflow: Record<string, Record<string, number>>;
  /** Members of two records of timers, or of the dead letters of a queue. */
  twice: string[];
  ready: Record<string, Record<string, number>>;
  /** Those in parts among them. */
  dead: Record<string, Record<string, number>>;
  /** Parts of dead letters, as '<queue>:<number>'. */
  deadParts: string[];
  envelopes: Record<string, string>;
  failures: Record<string, string>;
  /** Lanes of paused queues. */
  blocked: Record<string, string[]>;
  config: Record<string, string>;
  /** Slots in use, as they are counted, and as leases, timers and dead letters tell. */
  inflight: Record<string, number>;
  slots: Record<string, number>;
  /** Every other key, with its value. */
  rest: Record<string, string>;
}

/** What a shard holds in which nothing is. */
export function emptyShard(): Shard {
  return {
    lanes: {},
    parts: {},
    divided: {},
    leases: {},
    timers: {},
    overflow: {},
    twice: [],
    ready: {},
    dead: {},
    deadParts: [],
    envelopes: {},
    failures: {},
    blocked: {},
    config: {},
    inflight: {},
    slots: {},
    rest: {},
  };
}

/** All keys of a shard at once: name, type, and what is there, with scores and fields as they come. */
const READ_ALL = `
local found = {}
for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
  local kind, value = redis.call('TYPE', key).ok, {}
  if kind == 'list' then value = redis.call('LRANGE', key, '0', '-1') end
  if kind == 'zset' then value = redis.call('ZRANGE', key, '0', '-1', 'WITHSCORES') end
  if kind == 'hash' then value = redis.call('HGETALL', key) end
  if kind == 'string' then value = { redis.call('GET', key) } end
  found[#found + 1] = { key, kind, value }
end
return found`;

export async function readShard(redis: Redis | Cluster, root: string): Promise<Shard> {
  const shard = emptyShard();
  const keys = (await redis.eval(READ_ALL, 1, root, `${root}*`)) as [string, string, string[]][];
  for (const [key, type, value] of keys) addKey(shard, key.slice(root.length), type, value);
  shard.deadParts = unlisted(shard);
  for (const [lane, entries] of Object.entries(shard.lanes))
    shard.lanes[lane] = joined(shard, lane, `lane:${lane}`, entries);
  return shard;
}

/** The parts of dead letters that are not in the list of their queue. A list that leads to any is taken from `shard.divided`. */
function unlisted({ divided, deadParts }: Shard): string[] {
  const listed = new Set(
    Object.entries(divided).flatMap(([field, numbers]) => numbers.split(' ').map((number) => `${field}:${number}`)),
  );
  const isListed = (part: string) => listed.has(`dead:${part}`);
  for (const part of deadParts.filter(isListed)) delete divided[`dead:${part.split(':')[0]}`];
  return deadParts.filter((part) => !isListed(part));
}

/** A list of a lane with those of its parts in it where its mark stands: they are taken from `shard.parts`, the newest stands left. */
function joined(shard: Shard, lane: string, list: string, entries: string[]): string[] {
  const mark = entries.indexOf('~');
  if (mark < 0) return entries;
  const numbers = (shard.divided[list] ?? '').split(' ').filter((number) => number !== '');
  delete shard.divided[list];
  const parts = numbers.toReversed().flatMap((number) => {
    const part = shard.parts[`${number}:${lane}`] ?? [];
    delete shard.parts[`${number}:${lane}`];
    return joined(shard, lane, `part:${number}:${lane}`, part);
  });
  return [...entries.slice(0, mark), ...parts, ...entries.slice(mark + 1)];
}

function addKey(shard: Shard, name: string, type: string, value: string[]): void {
  const [kind = '', ...parts] = name.split(':');
  const rest = parts.join(':');
  if (kind === 'lane' && type === 'list') shard.lanes[rest] = value;
  else if (kind === 'part' && type === 'list') shard.parts[rest] = value;
  else if (kind === 'parts' && type === 'hash') shard.divided = Object.fromEntries(pairsOf(value));
  else if (kind === 'lease' && type === 'list') {
    shard.leases[rest] = value.map((item) => item.split(' ')[0] ?? '');
    for (const item of value) noteSlot(shard, item);
  } else if (kind === 'timers' && type === 'zset') {
    const timers = numbersIn(value);
    if (rest !== '') shard.overflow[rest] = timers;
    shard.twice.push(...Object.keys(timers).filter((member) => member in shard.timers));
    shard.timers = { ...shard.timers, ...timers };
    for (const member of Object.keys(timers)) {
      const [, pool, lane] = /^h (\S+) (\S+) \S+$/.exec(member) ?? [];
      if (lane) noteSlot(shard, `- ${pool} ${lane} w`);
    }
  } else if (kind === 'inflight' && type === 'hash') shard.inflight = numbersIn(value);
  else if (kind === 'ready' && type === 'zset') shard.ready[rest] = numbersIn(value);
  else if (kind === 'dead' && type === 'zset') {
    const letters = numbersIn(value);
    for (const letter of Object.keys(letters)) noteSlot(shard, letter);
    const [queue = '', number] = parts;
    if (number !== undefined) shard.deadParts.push(rest);
    const dead = Object.entries(letters).map(([letter, at]): [string, number] => [letter.split(' ')[0] ?? '', at]);
    shard.twice.push(...dead.flatMap(([entry]) => (entry in (shard.dead[queue] ?? {}) ? [entry] : [])));
    shard.dead[queue] = { ...shard.dead[queue], ...Object.fromEntries(dead) };
  } else if (kind === 'failures' && type === 'string') shard.failures[rest] = value[0] ?? '';
  else if (kind === 'config' && type === 'hash') shard.config = Object.fromEntries(pairsOf(value));
  else if (kind === 'blocked' && type === 'zset') shard.blocked[rest] = Object.keys(numbersIn(value));
  else if (kind === 'm' && type === 'string') shard.envelopes[rest] = value[0] ?? '';
  // Figures have tests of their own: wherever something was settled there are some.
  else if (kind !== 'stats') shard.rest[name] = type === 'string' ? (value[0] ?? '') : type;
}

/** @param item `<entry>[ <pool> <lane> <mode>]` */
function noteSlot({ slots }: Shard, item: string): void {
  const [, , lane, mode] = item.split(' ');
  if (!lane || !mode) return;
  const group = lane.slice(2);
  const ofQueue = mode === 'w' ? [] : [group.replace(/\/.*/, '')];
  const names = [...ofQueue, ...(mode === 'q' ? [] : [group.includes('/') ? group : `${group}/`])];
  for (const name of names) slots[name] = (slots[name] ?? 0) + 1;
}

/** Of a flat list: member and score, or field and value. */
const pairsOf = (flat: string[]): [string, string][] =>
  Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i] ?? '', flat[2 * i + 1] ?? '']);

/** In whole ms: the fraction of an instant only keeps in order what shares a millisecond. */
const numbersIn = (flat: string[]): Record<string, number> =>
  Object.fromEntries(pairsOf(flat).map(([name, number]) => [name, Math.floor(Number(number))]));

export interface Expected {
  /** Ids enqueued and not acked: each must be somewhere, and nothing else may be. */
  alive: Set<string>;
  /** Ids that wait out of order on purpose: delayed or redelivered before. */
  unordered: Set<string>;
}

/** When what fires timers next has something to do: overflow waits for its markers, which storage that refuses puts off. */
export const nextFiring = ({ timers, overflow }: Shard): number =>
  Math.min(
    ...Object.entries(timers).flatMap(([member, at]) =>
      Object.values(overflow).some((members) => member in members) ? [] : [at],
    ),
  );

/** @returns a sentence for each invariant that does not hold */
export function violations(shard: Shard, { alive, unordered }: Expected): string[] {
  return [
    ...misplaced(shard, alive),
    ...miscounted(shard),
    ...unindexed(shard),
    ...Object.entries(shard.lanes).flatMap(([lane, { length }]) =>
      length === 0 ? [`I3: ${lane} has nothing but a mark`] : [],
    ),
    ...Object.keys(shard.parts).map((part) => `I1: no lane leads to part ${part}`),
    ...shard.deadParts.map((part) => `I1: nobody looks for dead letters in part ${part}`),
    ...Object.keys(shard.divided).map((list) => `I1: ${list} has parts that are gone, or no mark`),
    ...unmarked(shard),
    ...Object.keys(shard.leases)
      .filter((lease) => shard.timers[`l ${lease}`] === undefined)
      .map((lease) => `I4: lease ${lease} has no timer`),
    ...Object.entries(shard.lanes).flatMap(([lane, entries]) => disordered(shard, lane, entries, unordered)),
  ];
}

const idOf = (entry: string) => entry.slice(entry.indexOf('.') + 1);

/** I1, I2 and I5. */
function misplaced(shard: Shard, alive: Set<string>): string[] {
  const places = new Map<string, string[]>();
  const place = (entry: string, where: string) => places.set(idOf(entry), [...(places.get(idOf(entry)) ?? []), where]);
  for (const [lane, entries] of Object.entries(shard.lanes)) for (const entry of entries) place(entry, `lane ${lane}`);
  for (const [lease, entries] of Object.entries(shard.leases))
    for (const entry of entries) place(entry, `lease ${lease}`);
  for (const [queue, letters] of Object.entries(shard.dead))
    for (const entry of Object.keys(letters)) place(entry, `dead ${queue}`);
  for (const member of Object.keys(shard.timers)) {
    if (/^[mh] /.test(member)) place(member.split(' ')[3] ?? '', 'timers');
  }
  const found: string[] = [];
  for (const [id, where] of places) {
    if (where.length > 1) found.push(`I1: ${id} is in ${where.join(' and ')}`);
    if (!(id in shard.envelopes) && !/ missing /.test(shard.failures[id] ?? ''))
      found.push(`I2: ${id} has no envelope`);
    // A cancelled message that a consumer holds: its entry and the tombstone go when they are met.
    if (!alive.has(id) && shard.envelopes[id] !== 'cancelled') found.push(`I5: ${id} should be gone`);
  }
  for (const id of alive) if (!places.has(id)) found.push(`I5: ${id} is lost`);
  for (const id of Object.keys(shard.envelopes))
    if (!places.has(id)) found.push(`I2: the envelope of ${id} has no entry`);
  for (const id of Object.keys(shard.failures))
    if (!places.has(id)) found.push(`I2: the failures of ${id} have no entry`);
  return found;
}

/** I8: what overflow holds is plain, in one record, and due no sooner than its marker. */
function unmarked({ overflow, timers, twice }: Shard): string[] {
  const found = twice.map((member) => `I1: ${member} is there twice`);
  for (const [record, members] of Object.entries(overflow)) {
    const marked = timers[`+ ${record}`] ?? Number.POSITIVE_INFINITY;
    for (const [member, due] of Object.entries(members)) {
      if (!member.startsWith('m ') || due < marked)
        found.push(`I8: ${member} is in overflow ${record}, marked ${marked}`);
    }
  }
  return found;
}

/** I6. */
function miscounted({ inflight, slots }: Shard): string[] {
  const names = new Set([...Object.keys(inflight), ...Object.keys(slots)]);
  return [...names]
    .filter((name) => inflight[name] !== slots[name])
    .map((name) => `I6: ${name} counts ${inflight[name] ?? 0} in flight, ${slots[name] ?? 0} have slots`);
}

/** I3, both ways: a lane with entries is in the index of its pool or blocked, once; no other is. */
function unindexed(shard: Shard): string[] {
  const ready = Object.entries(shard.ready).flatMap(([pool, lanes]) => Object.keys(lanes).map((lane) => [lane, pool]));
  const blocked = Object.values(shard.blocked).flatMap((lanes) => lanes.map((lane) => [lane, 'blocked']));
  const places = [...ready, ...blocked].filter(([lane]) => lane !== '!');
  const found: string[] = [];
  for (const [lane, [entry = '']] of Object.entries(shard.lanes)) {
    const here = places.filter((place) => place[0] === lane).map(([, place]) => place);
    const pool = shard.envelopes[idOf(entry)]?.split(' ')[1];
    if (here.length !== 1 || (pool !== undefined && here[0] !== pool && here[0] !== 'blocked')) {
      found.push(`I3: lane ${lane} of pool ${pool} is indexed in ${here.join(', ') || 'none'}`);
    }
  }
  for (const [lane = ''] of places) if (!shard.lanes[lane]) found.push(`I3: empty lane ${lane} is indexed`);
  return found;
}

/** I7: from the head on redeliveries, then the others by the time they were enqueued. */
function disordered(shard: Shard, lane: string, entries: string[], unordered: Set<string>): string[] {
  const isThere = (id: string) => id in shard.envelopes && shard.envelopes[id] !== 'cancelled';
  const firsts = entries
    .toReversed()
    .filter((entry) => entry.startsWith('1.') && isThere(idOf(entry)) && !unordered.has(idOf(entry)));
  const times = firsts.map((entry) => Number(shard.envelopes[idOf(entry)]?.split(' ')[3]));
  return times.every((time, i) => i === 0 || time >= (times[i - 1] ?? 0)) ? [] : [`I7: lane ${lane} is out of order`];
}
