/** Health: whether the storage can be trusted with messages. Cheap enough to be asked by anybody, because it remembers. */
import { StorageError } from '../errors.ts';
import { wordsFor } from './refused-words.ts';
import type { Send } from './send.ts';
import type { Shard } from './shard.ts';

export interface Health {
  status: 'ok' | 'unsafe';
  /** What an operator should change, a sentence each. */
  warnings: string[];
}

interface HealthOptions {
  /** Of the database's plan; 0: that is not known, and not watched. */
  monthlyCommands?: number;
  clock?: (() => number) | undefined;
}

/** How long an answer serves: so long, whoever asks and how often, one billed command, or two where the month's are watched. */
const REMEMBERED_MS = 10_000;
/** So long the key stays that is written to see whether anything can be. */
const WRITTEN_MS = 1_000;
/** From this share of the memory, or of the month's commands, on it is told that there is not much left. */
const FULL = 0.8;
/** How far the count of commands was at the first look of a month stays longer than any month. */
const MONTH_MS = 40 * 86_400_000;

/**
 * @returns a function that checks that storage answers, that it takes something new from this token, that eviction is off and that
 * there is room; it throws StorageError where it does not answer or takes nothing, in words for whoever runs the database
 */
export function healthCheck(
  { send, keys: { root } }: Pick<Shard, 'send' | 'keys'>,
  { monthlyCommands = 0, clock = Date.now }: HealthOptions = {},
): () => Promise<Health> {
  let remembered: { health: Health; until: number } | undefined;
  return async () => {
    if (remembered && remembered.until > clock()) return remembered.health;
    // Not a delete: a database that is full goes on deleting.
    await send(['SET', `${root}health`, '1', 'PX', String(WRITTEN_MS)]).catch((error: unknown) =>
      explain(error, clock()),
    );
    const info = String(await send(['INFO']).catch(() => ''));
    const processed = Number(field(info, 'total_commands_processed') ?? Number.NaN);
    const spent = monthlyCommands > 0 && processed > 0 ? await readUsage(send, root, processed, clock()) : undefined;
    const warnings = [...evictionIn(info), ...fillingIn(info), ...(spent ? spendingIn(spent, monthlyCommands) : [])];
    const health: Health = { status: warnings.length > 0 ? 'unsafe' : 'ok', warnings };
    remembered = { health, until: clock() + REMEMBERED_MS };
    return health;
  };
}

function explain(error: unknown, now: number): never {
  const words = error instanceof StorageError ? wordsFor(error.reason, now) : undefined;
  if (!(error instanceof StorageError) || words === undefined) throw error;
  throw new StorageError(error.code, `${error.reason}: ${words}`, error.afterMs);
}

interface MonthlyUsage {
  commands: number;
  /** The day since which they are counted. */
  since: string;
}

/**
 * What this month has cost at least. Storage only tells what it has processed since it was started, so what that was at the
 * first look of a month is kept; where it is less by now it was started since, and all of it is of this month.
 */
async function readUsage(send: Send, root: string, processed: number, now: number): Promise<MonthlyUsage | undefined> {
  const today = new Date(now).toISOString().slice(0, 10);
  const key = `${root}commands:${today.slice(0, 7)}`;
  try {
    const first = await send(['GET', key]);
    if (typeof first !== 'string') await send(['SET', key, `${processed} ${today}`, 'NX', 'PX', String(MONTH_MS)]);
    const [before, since = today] = typeof first === 'string' ? first.split(' ') : [String(processed)];
    const commands = processed - Number(before);
    return { commands: commands < 0 ? processed : commands, since };
  } catch {
    return undefined; // what was told before is worth more than a count
  }
}

function spendingIn({ commands, since }: MonthlyUsage, most: number): string[] {
  if (commands < most * FULL) return [];
  const share = Math.floor((100 * commands) / most);
  return [
    `${share} % of the ${most.toLocaleString('en')} commands of the month are used, counted since ${since}: ` +
      'when all are, everything is refused until the month ends. Take a larger plan, or enqueue in batches.',
  ];
}

const field = (info: string, name: string) => new RegExp(`^${name}:(\\S+)`, 'm').exec(info)?.[1];

const isUpstash = (info: string) => field(info, 'upstash_version') !== undefined;

/** Nothing is told where nobody says so. */
function evictionIn(info: string): string[] {
  const policy = field(info, 'maxmemory_policy') ?? 'noeviction';
  if (policy.startsWith('noeviction')) return [];
  const how = isUpstash(info)
    ? "in the database's page of the console, Configuration, Eviction"
    : 'maxmemory-policy noeviction';
  return [`eviction is on: Redis may drop messages and leases when memory is short. Turn it off (${how}).`];
}

function fillingIn(info: string): string[] {
  const [used, most] = ['used_memory', 'maxmemory'].map((name) => Number(field(info, name) ?? 0)) as [number, number];
  if (most <= 0 || used < most * FULL) return [];
  const share = Math.floor((100 * used) / most);
  const larger = isUpstash(info) ? 'a larger plan, or Auto Upgrade in the console' : 'a larger maxmemory';
  return [
    `memory is ${share} % full: when it is, every enqueue is refused. Make room (dead letters, queues that nobody needs), or take ${larger}.`,
  ];
}
