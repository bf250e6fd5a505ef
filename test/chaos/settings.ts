/** What a torture run is told on the command line. */
import { parseArgs } from 'node:util';
import { MIXES, type MixName } from './mixes.ts';

const HELP = `Usage: npm run torture [-- options]

Enqueues and delivers under faults and quotas that fill up and are lifted, then judges the history. Exits 0 if nothing was lost, every
duplicate has a cause, and work went on by itself.

  --seconds N    how long faults and producers go on (default 30; with --messages alone, 900 or a hundredth
                 of them at most)
  --messages M   or until so many messages were enqueued
  --seed S       of everything that is drawn (default: a fresh one, printed)
  --faults MIX   none, light or heavy (default heavy)
  --redis WHICH  auto (default: a redis-server on the PATH, else embedded), embedded, or a redis:// URL, where the
                 run's keys are removed at the end
  --shards N     over so many databases, 2 to 8, each away for 10 s a minute in turn; then no quotas fill up (default 1)
  --reshard      over two databases, to which a third comes, and goes, while both versions of the settings are at work
  --drainer      Durable Objects drain, which end with their Worker, alarms and all
  --small-records  timers and lanes are divided when they have few elements
  --json         print one object with the figures as the last line
  --help         this text
`;

const LONGEST_S = 900;
const MOST_SHARDS = 8;
const RESHARDED = 3;
/** However slow the machine is. */
const LEAST_PER_SECOND = 100;

export interface Settings {
  seconds: number;
  messages: number;
  seed: number;
  mix: MixName;
  redis: string;
  shards: number;
  /** The last of them comes and goes. */
  reshard: boolean;
  drainer: boolean;
  smallRecords: boolean;
  asJson: boolean;
}

/** @returns the settings, or what to say instead of a run */
export function readSettings(args: string[]): Settings | { say: string; exitCode: 0 | 2 } {
  try {
    const flags = readFlags(args);
    return flags.help ? { say: HELP, exitCode: 0 } : settingsOf(flags);
  } catch (error) {
    return { say: `${error instanceof Error ? error.message : error}\n\n${HELP}`, exitCode: 2 };
  }
}

function readFlags(args: string[]) {
  const { values } = parseArgs({
    args,
    options: {
      seconds: { type: 'string' },
      messages: { type: 'string' },
      seed: { type: 'string' },
      faults: { type: 'string', default: 'heavy' },
      redis: { type: 'string', default: 'auto' },
      shards: { type: 'string', default: '1' },
      reshard: { type: 'boolean', default: false },
      drainer: { type: 'boolean', default: false },
      'small-records': { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  return values;
}

function settingsOf(flags: ReturnType<typeof readFlags>): Settings {
  const { seconds, seed, faults, redis, reshard, drainer, json, 'small-records': smallRecords } = flags;
  const messages = flags.messages ? positive(flags.messages, '--messages') : Number.POSITIVE_INFINITY;
  const longest = Math.max(LONGEST_S, Math.ceil(messages / LEAST_PER_SECOND));
  if (!Object.hasOwn(MIXES, faults)) throw new RangeError(`--faults must be one of ${Object.keys(MIXES).join(', ')}`);
  return {
    seconds: positive(seconds ?? (Number.isFinite(messages) ? longest : 30), '--seconds'),
    messages,
    seed: seed ? positive(seed, '--seed') : 1 + Math.floor(Math.random() * 0xffff_ffff),
    mix: faults as MixName,
    redis,
    shards: reshard ? RESHARDED : upTo(positive(flags.shards, '--shards'), MOST_SHARDS, '--shards'),
    reshard,
    drainer,
    smallRecords,
    asJson: json,
  };
}

function upTo(value: number, most: number, flag: string): number {
  if (value > most) throw new RangeError(`${flag} must be at most ${most}`);
  return value;
}

function positive(text: string | number, flag: string): number {
  const value = Number(text);
  if (!(value > 0 && Number.isSafeInteger(value))) throw new RangeError(`${flag} must be a whole number above 0`);
  return value;
}
