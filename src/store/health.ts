/** Health: whether the storage can be trusted with messages. Cheap enough to be asked by anybody, because it remembers. */
import type { Send } from './client.ts';
import { keysOf } from './keys.ts';

export interface Health {
  status: 'ok' | 'unsafe';
  /** What an operator should change, a sentence each. */
  warnings: string[];
}

/** How long an answer serves: so long, whoever asks and how often, one billed command. */
const REMEMBERED_MS = 10_000;
/** So long the key stays that is written to see whether anything can be. */
const WRITTEN_MS = 1_000;
/** From this share of the memory on it is told that there is not much left: when there is none, every enqueue is refused. */
const FULL = 0.8;

/**
 * @returns a function that checks that storage answers, that it takes something new from this token, that eviction is off and that
 * there is room; it throws StorageError where it does not answer or takes nothing
 */
export function healthCheck(send: Send, prefix: string, clock: () => number = Date.now): () => Promise<Health> {
  const key = `${keysOf(prefix).root}health`;
  let remembered: { health: Health; until: number } | undefined;
  return async () => {
    if (remembered && remembered.until > clock()) return remembered.health;
    // Not a delete: a database that is full, or whose month is used up, goes on deleting.
    await send(['SET', key, '1', 'PX', String(WRITTEN_MS)]);
    const info = String(await send(['INFO']).catch(() => ''));
    const warnings = [...evictionIn(info), ...fillingIn(info)];
    const health: Health = { status: warnings.length > 0 ? 'unsafe' : 'ok', warnings };
    remembered = { health, until: clock() + REMEMBERED_MS };
    return health;
  };
}

const field = (info: string, name: string) => new RegExp(`^${name}:(\\S+)`, 'm').exec(info)?.[1];

/** Nothing is told where nobody says so. */
function evictionIn(info: string): string[] {
  const policy = field(info, 'maxmemory_policy') ?? 'noeviction';
  if (policy.startsWith('noeviction')) return [];
  const isUpstash = field(info, 'upstash_version') !== undefined;
  const how = isUpstash
    ? "in the database's page of the console, Configuration, Eviction"
    : 'maxmemory-policy noeviction';
  return [`eviction is on: Redis may drop messages and leases when memory is short. Turn it off (${how}).`];
}

function fillingIn(info: string): string[] {
  const [used, most] = ['used_memory', 'maxmemory'].map((name) => Number(field(info, name) ?? 0)) as [number, number];
  if (most <= 0 || used < most * FULL) return [];
  const share = Math.floor((100 * used) / most);
  return [`memory is ${share} % full: when it is, every enqueue is refused. Make room, or take a larger database.`];
}
