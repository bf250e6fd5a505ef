/** The recount: what the shard still holds when all is over. Nothing but dead letters may be left, and all of these whole. */
import type { Redis } from '@upstash/redis';
import { parseEntry } from '../../src/message/ids.ts';
import type { Finding } from '../../src/store/audit.ts';
import { audit } from '../../src/store/audit.ts';
import type { Store } from '../../src/store/store.ts';

export interface Recount {
  /** Ids of dead letters. */
  dead: string[];
  leftovers: Leftover[];
}

/** What should not be there, in words, and the message that it is of. */
export interface Leftover {
  what: string;
  id?: string;
}

/**
 * What the store keeps besides messages: requests it would recognise, who is awake or has a place, and figures, which their own time removes;
 * and the schedules of the Worker's own app, whose next occurrence is no leftover.
 */
const KEPT = new Set(['req', 'awake', 'sleeper', 'config', 'stats', 'schedules', 'strays', 'dedup', 'drains', 'map']);
/** Longer than any delay, retry or lease of a run. */
const LONGEST_WAIT_MS = 10_000;
const isOccurrence = (timer: string) => timer.startsWith('s ');

export async function recount(redis: Redis, root: string): Promise<Recount> {
  const keys = await keysOf(redis, root);
  const dead = await deadLetters(redis, root, keys);
  const leftovers: Leftover[] = [];
  const left = (what: string, id?: string) => void leftovers.push({ what, ...(id !== undefined && { id }) });
  for (const key of keys) {
    const [kind = '', name = ''] = split(key);
    if (kind === 'm' && !dead.has(name)) left(`the envelope of ${name}`, name);
    else if (kind === 'failures' && !dead.has(name)) left(`the failures of ${name}`, name);
    else if (kind === 'ready') for (const lane of await lanesIn(redis, root + key)) left(`${key} has ${lane}`);
    else if (kind === 'parts') for (const list of await listsIn(redis, root + key)) left(`parts of ${list}`);
    else if (['lane', 'part', 'lease', 'blocked'].includes(kind) || (kind === 'timers' && name !== '')) left(key);
    else if (!['m', 'dead', 'failures', 'timers'].includes(kind) && !KEPT.has(kind)) left(key);
  }
  for (const timer of await timersOf(redis, root)) left(`timer ${timer}`);
  const envelopes = new Set(keys.filter((key) => key.startsWith('m:')).map((key) => key.slice(2)));
  for (const id of dead) if (!envelopes.has(id)) left(`dead letter ${id} without its envelope`, id);
  return { dead: [...dead], leftovers };
}

async function timersOf(redis: Redis, root: string): Promise<string[]> {
  return (await redis.zrange<string[]>(`${root}timers`, 0, -1)).filter((timer) => !isOccurrence(timer));
}

/** Lists that have parts. Dead letters may stay, and so may their parts. */
async function listsIn(redis: Redis, key: string): Promise<string[]> {
  return (await redis.hkeys(key)).filter((list) => !list.startsWith('dead:'));
}

/** Without the mark that the next sync takes away where a queue was resumed. */
async function lanesIn(redis: Redis, index: string): Promise<string[]> {
  return (await redis.zrange<string[]>(index, 0, -1)).filter((lane) => lane !== '!');
}

/**
 * What storage refused to move was put off for a minute. In a run nothing else waits as long, and nobody wants to.
 * @param waits what does, by its member: it is left
 */
export async function bringForward(
  redis: Redis,
  root: string,
  waits: (member: string) => boolean = () => false,
): Promise<void> {
  const now = Date.now();
  const late = await redis.zrange<string[]>(`${root}timers`, now + LONGEST_WAIT_MS, '+inf', { byScore: true });
  for (const member of late.filter((timer) => !isOccurrence(timer) && !waits(timer))) {
    await redis.zadd(`${root}timers`, { xx: true }, { score: now, member });
  }
}

/** Whether anything waits, is delayed or is leased, and no drain has a place. */
export async function isEmpty(redis: Redis, root: string): Promise<boolean> {
  const [timers, ...lists] = await Promise.all([
    timersOf(redis, root),
    ...['lane:*', 'part:*', 'lease:*', 'parts', 'timers:*', 'drains'].map((name) =>
      redis.keys(root + name).then(({ length }) => length),
    ),
  ]);
  return timers.length === 0 && lists.every((count) => count === 0);
}

/** The store's own audit, from end to end. */
export async function auditAll(store: Store): Promise<Finding[]> {
  const findings: Finding[] = [];
  let cursor = '0';
  do {
    const step = await audit(store, cursor, false);
    findings.push(...step.findings);
    cursor = step.cursor;
  } while (cursor !== '0');
  return findings;
}

export async function removeKeys(redis: Redis, root: string): Promise<void> {
  const keys = (await keysOf(redis, root)).map((key) => root + key);
  for (let from = 0; from < keys.length; from += 1_000) await redis.unlink(...keys.slice(from, from + 1_000));
}

async function deadLetters(redis: Redis, root: string, keys: string[]): Promise<Set<string>> {
  const dead = new Set<string>();
  for (const key of keys.filter((name) => name.startsWith('dead:'))) {
    for (const entry of await redis.zrange<string[]>(root + key, 0, -1)) dead.add(parseEntry(entry).id);
  }
  return dead;
}

async function keysOf(redis: Redis, root: string): Promise<string[]> {
  return (await redis.keys(`${root}*`)).map((key) => key.slice(root.length));
}

function split(key: string): [kind: string, name: string] {
  const colon = key.indexOf(':');
  return colon < 0 ? [key, ''] : [key.slice(0, colon), key.slice(colon + 1)];
}
