// The store against the reference model: random commands, the whole shard compared after each, shrunk where they differ.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Bench, onEachRedis, straightTo } from '../support/bench.ts';
import { divideAbove } from '../support/parts.ts';
import { deploy, newReal, POLICIES, rareSteps, steps } from './commands.ts';
import { newModel } from './model.ts';
import { drainAll } from './settled.ts';

const seed = Number(process.env.SLUICE_SEED ?? Math.floor(Math.random() * 2 ** 31));
const numRuns = Number(process.env.SLUICE_RUNS ?? 25);
console.info(`model: ${numRuns} runs, seed ${seed} (SLUICE_RUNS and SLUICE_SEED set them)`);
// In every other run records are divided as soon as they have a few elements.
if (seed % 2 === 1) divideAbove(2);

const TIME_MS = 120_000;

const policies = fc.record({ mail: fc.constantFrom(...POLICIES), news: fc.constantFrom(...POLICIES) });
const commands = fc.commands([...steps, ...steps, ...steps, ...rareSteps], { maxCommands: 60, size: 'max' });

async function runModel(bench: Bench, options: { seed: number; numRuns: number }) {
  await fc.assert(
    fc.asyncProperty(policies, fc.boolean(), commands, async (drawn, lifts, list) => {
      const fresh = new Bench(bench.redises, straightTo(bench.redises.emulator));
      const model = newModel(fresh.now);
      const real = newReal(fresh);
      deploy(model, real, drawn);
      await fc.asyncModelRun(() => ({ model, real }), list);
      expect(await drainAll(model, real, lifts)).toEqual([]);
    }),
    { ...options, interruptAfterTimeLimit: TIME_MS - 20_000 }, // a failure is shrunk as far as the time goes, then shown
  );
}

onEachRedis(
  'the model',
  (bench) => {
    test(
      'LF3 random commands leave store and model the same, and no lane is stranded',
      async () => {
        await runModel(bench(), { seed, numRuns });
      },
      TIME_MS,
    );
  },
  ['the embedded Redis', 'redis-server'],
);
