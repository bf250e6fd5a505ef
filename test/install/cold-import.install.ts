// What a cold start computes: to load `sluice` beside what nobody could do without, zod/mini and hono/tiny. Both are of one machine and one minute.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { run } from './support/process.ts';
import { createProject, runtimes } from './support/project.ts';

/**
 * Of fresh processes, by turns: the least of each is what it takes where nothing else is at work. It is the CPU's time, because that of
 * the clock has in it how long others had the processor.
 */
const ROUNDS = 15;
const MOST_RATIO = 1.5;

test('it takes at most one and a half times as long', async () => {
  const cwd = await createProject('cold-import');
  const of = async (name: string, modules: string[]) => {
    const imports = modules.map((module) => `await import('${module}');`).join('\n');
    await writeFile(
      join(cwd, name),
      `const before = process.cpuUsage();\n${imports}\nconst { user, system } = process.cpuUsage(before);\nconsole.log((user + system) / 1000);`,
    );
    return async () => Number(await run({ file: runtimes.node24(), args: [name], cwd }));
  };
  const base = await of('base.mjs', ['zod/mini', 'hono/tiny']);
  const own = await of('own.mjs', ['sluice']);
  const took = { base: Number.POSITIVE_INFINITY, own: Number.POSITIVE_INFINITY };
  for (let round = 0; round < ROUNDS; round++) {
    took.base = Math.min(took.base, await base());
    took.own = Math.min(took.own, await own());
  }
  const ratio = took.own / took.base;
  console.log(
    `cold import: sluice ${took.own.toFixed(1)} ms of CPU, zod/mini and hono/tiny ${took.base.toFixed(1)} ms: ${ratio.toFixed(2)} times`,
  );
  expect(ratio).toBeLessThanOrEqual(MOST_RATIO);
});
