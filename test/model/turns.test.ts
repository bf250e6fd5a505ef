// Two deployments by turns on one shard, with real and with small answers, pages and chunks: whatever they do, no message is
// lost, doubled or stranded. What is to be seen exactly is the business of model.test.ts.
//
// SLUICE_RUNS=1000 npx vitest run test/model/turns.test.ts
import fc from 'fast-check';
import { test } from 'vitest';
import { Bench, onEachRedis, straightTo } from '../support/bench.ts';
import { calls, World } from './calls.ts';
import { deployment } from './deployments.ts';
import { drainAll } from './ending.ts';
import { REAL } from './small.ts';

const seed = Number(process.env.SLUICE_SEED ?? Math.floor(Math.random() * 2 ** 31));
const numRuns = Number(process.env.SLUICE_RUNS ?? 8);
console.info(`turns: ${numRuns} runs, seed ${seed} (SLUICE_RUNS and SLUICE_SEED set them)`);

/** Of one run with all that a failure needs to be shrunk. */
const RUN_MS = 1_000;
const SHRINK_MS = 120_000;

const sizes = fc.record({
  small: fc.boolean(),
  answerBytes: fc.constantFrom(REAL.answerBytes, 250),
  fires: fc.constantFrom(REAL.fires, 3),
});
const ending = fc.record({ lifted: fc.boolean(), redriven: fc.boolean() });
const commands = fc.commands(calls, { maxCommands: 60, size: 'max' });

onEachRedis(
  'two deployments by turns',
  (bench) => {
    test(
      'whatever they do, no message is lost, doubled or stranded, and nothing is left behind',
      async () => {
        await fc.assert(
          fc.asyncProperty(
            sizes,
            fc.tuple(deployment, deployment),
            ending,
            commands,
            async (size, deployed, end, list) => {
              const world = new World(new Bench(bench().redises, straightTo(bench().redises.emulator)), size, deployed);
              await fc.asyncModelRun(() => ({ model: {}, real: world }), list);
              await drainAll(world, end);
            },
          ),
          { seed, numRuns, interruptAfterTimeLimit: numRuns * RUN_MS + SHRINK_MS - 20_000 },
        );
      },
      numRuns * RUN_MS + SHRINK_MS,
    );
  },
  ['the embedded Redis', 'redis-server'],
);
