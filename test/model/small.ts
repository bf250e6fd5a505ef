// The scripts with small constants: with a few messages they meet the end of every page, chunk and bound.
import { join } from 'node:path';
import { linkAll } from '../../scripts/lua/link.ts';
import { joinLines, linesOf, printAll } from '../../scripts/lua/segments.ts';
import { readSources } from '../../scripts/lua/sources.ts';
import type { Script } from '../../src/redis/lua/script.ts';
import type { Runner } from '../../src/redis/runner.ts';

const LUA = join(import.meta.dirname, '../../src/redis/lua');

export interface Sizes {
  /** Whether the constants below stand in place of the real ones. */
  small: boolean;
  /** Of envelopes, after which an answer is full. */
  answerBytes: number;
  /** Timers fired by one sync, and by one step of a sweep, at the beginning. */
  fires: number;
}

export const REAL: Sizes = { small: false, answerBytes: 4_000_000, fires: 100 };

/** In place of `local NAME = <number>`. Pairs are written in halves of a chunk, so it is even. */
const SMALL: Record<string, number> = {
  CHUNK: 4,
  READ: 3,
  BLOCK: 2,
  WINDOW: 3,
  SHARING: 3,
  CROWDED: 2,
  PASSES: 2,
  LOOK: 5,
  DUE_SCHEDULES: 2,
  TIMERS_BYTES: 700,
  LOOK_EVERY: 1,
  SPILLED: 2,
  PULLED: 2,
  AHEAD_MS: 10,
  MOST: 4,
  RECORDS: 4,
};
/** Of envelopes read at once on the way, which the scripts name in bytes where they read. */
const SMALL_READ_BYTES = 300;

const DECLARATION = /^(local )([A-Z_]+(?:, [A-Z_]+)*)( = )(\d+(?:, \d+)*)/gm;
const READING = /(read_envelopes\([^\n()]*, )\d+\)/g;

/** @param hits takes the names of what was replaced */
export function replaceConstants(source: string, given: Record<string, number>, hits: Set<string>): string {
  return source.replace(DECLARATION, (_, local: string, names: string, is: string, numbers: string) => {
    const values = numbers.split(', ');
    const replaced = names.split(', ').map((name, i) => {
      if (name in given) hits.add(name);
      return given[name] ?? values[i];
    });
    return local + names + is + replaced.join(', ');
  });
}

/** @param hits takes the names of what was replaced */
function shrunk(source: string, hits: Set<string>): string {
  return replaceConstants(source, SMALL, hits).replace(READING, (_, before: string) => {
    hits.add('READING');
    return `${before}${SMALL_READ_BYTES})`;
  });
}

function shrunkScripts(): Map<string, Script> {
  const hits = new Set<string>();
  const program = linkAll(readSources(LUA, (text) => shrunk(text, hits)));
  const printed = printAll(program);
  const small = program.scripts.map(
    (script): Script => ({ name: script.name, source: joinLines(linesOf(script, printed)) }),
  );
  const missed = [...Object.keys(SMALL), 'READING'].filter((name) => !hits.has(name));
  if (missed.length > 0) throw new Error(`no script has ${missed.join(', ')} to be made small`);
  return new Map(small.map((script) => [script.name, script]));
}

const SMALL_SCRIPTS = shrunkScripts();

/** Sends all as it is, but scripts with small constants. */
export const smallRunner = (runner: Runner): Runner => ({
  run: (script, keys, args) => runner.run(SMALL_SCRIPTS.get(script.name) ?? script, keys, args),
});

/** Where a sync has its limits among its arguments, and what the store puts there. */
const ANSWER_AT = { place: 6, real: String(REAL.answerBytes) };
const FIRES_AT = 9;
/** Where a purge has how many messages it takes out. */
const PURGED_AT = { place: 2, real: '1000' };
const SMALL_PURGE = 3;
/** Where an enqueue has the base of its ids. */
const BASE_AT = 2;

/**
 * Sends what it is given in these sizes. Ids count up, so that a run is the same each time: entries that are due together come
 * out by their names.
 */
export function sizedRunner(runner: Runner, sizes: Sizes): Runner {
  let bases = 0;
  return {
    run(script: Script, keys: string[], args: string[]) {
      const sized = script.name === 'enqueue' ? renamed(args, `m${String(++bases).padStart(3, '0')}`) : [...args];
      if (script.name === 'sync') {
        put(sized, ANSWER_AT, sizes.answerBytes);
        sized[FIRES_AT] = String(sizes.fires); // whatever the pace
      }
      if (script.name === 'purge' && sizes.small) put(sized, PURGED_AT, SMALL_PURGE);
      return runner.run((sizes.small && SMALL_SCRIPTS.get(script.name)) || script, keys, sized);
    },
  };
}

function renamed(args: string[], base: string): string[] {
  const drawn = args[BASE_AT] ?? '';
  return args.map((arg) => (arg === drawn ? base : arg === `${drawn}-` ? `${base}-` : arg));
}

function put(args: string[], { place, real }: typeof ANSWER_AT, size: number): void {
  if (args[place] !== real) throw new Error(`argument ${place} is ${args[place]}, not ${real}`);
  args[place] = String(size);
}
