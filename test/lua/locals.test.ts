// Lua has room for 200 locals in a script. Each keeps 40 of them free, or the next feature would stop it from loading.
import { expect, test } from 'vitest';
import * as scripts from '../../src/redis/lua/generated.ts';
import { onEachRedis } from '../support/bench.ts';

const FREE = 40;
/** What Lua allows. */
const MOST = 200;

/** The script behind so many locals, which are in scope wherever its own are. It is compiled and not run. */
function crowded(source: string, count: number): string {
  const locals = Array.from({ length: count }, (_, i) => `local free_${i}`).join('\n');
  return `local function compiled()\n${locals}\n${source}\nend\nreturn 'compiled'`;
}

onEachRedis(
  'room for locals',
  (bench) => {
    const compile = (text: string) => bench().redises.raw.eval(text, 0);

    test.each(Object.values(scripts))(`$name has ${FREE} left`, async ({ source }) => {
      expect(await compile(crowded(source, FREE))).toBe('compiled');
    });

    test('more than Lua has are refused', async () => {
      await expect(compile(crowded(scripts.rotate.source, MOST))).rejects.toThrow();
    });
  },
  ['the embedded Redis', 'redis-server'],
);
