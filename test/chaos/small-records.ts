/** Small records: scripts that divide timers and lanes when they have few elements, for all processes of a run. */
import { join } from 'node:path';
import { linkAll } from '../../scripts/lua/link.ts';
import { linesOf, printAll } from '../../scripts/lua/segments.ts';
import { readSources } from '../../scripts/lua/sources.ts';
import type { Bundle } from '../../src/dev/bundle.ts';
import * as scripts from '../../src/redis/lua/generated.ts';
import { replaceConstants } from '../model/small.ts';

const LUA = join(import.meta.dirname, '../../src/redis/lua');

/** In place of `local NAME = <number>`: entries of a lane's record, bytes of timers, and how these are looked at and moved. */
const BOUNDS = { MOST: 150, TIMERS_BYTES: 6_000, LOOK_EVERY: 8, SPILLED: 20, PULLED: 10, AHEAD_MS: 500, RECORDS: 8 };

/** The lines of scripts that are other ones with these bounds, and what they are then. */
function otherLines(): Map<string, string> {
  const hits = new Set<string>();
  const real = linesIn(readSources(LUA));
  const small = linesIn(readSources(LUA, (text) => replaceConstants(text, BOUNDS, hits)));
  const missed = Object.keys(BOUNDS).filter((name) => !hits.has(name));
  if (missed.length > 0) throw new Error(`no script has ${missed.join(', ')}`);
  return new Map(real.flatMap((line, i) => (line === small[i] ? [] : [[line, small[i] as string]])));
}

function linesIn(sources: ReturnType<typeof readSources>): string[] {
  const program = linkAll(sources);
  const printed = printAll(program);
  return program.scripts.flatMap((script) => linesOf(script, printed).map(({ text }) => text));
}

/** From now on the scripts of this process are such: whoever has read their texts before does not know them. */
export function shrinkRecords(): void {
  const others = otherLines();
  for (const script of Object.values(scripts)) {
    const value = script.source.split('\n').map((line) => others.get(line) ?? line);
    Object.defineProperty(script, 'source', { value: value.join('\n') });
  }
}

/** @returns the bundle with such scripts. @throws Error where it does not have the lines of ours */
export function withSmallRecords(bundle: Bundle): Bundle {
  const main = bundle.modules[bundle.mainModule] as Bundle['modules'][string];
  let { contents } = main;
  for (const [line, small] of otherLines()) {
    if (!contents.includes(line)) throw new Error(`the bundle does not have the line ${line}`);
    contents = contents.replaceAll(line, () => small);
  }
  return { ...bundle, modules: { ...bundle.modules, [bundle.mainModule]: { ...main, contents } } };
}
