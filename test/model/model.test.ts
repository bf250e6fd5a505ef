// The store against the reference model: random commands, the whole shard compared after each, shrunk where they differ.
import fc from 'fast-check';
import { test } from 'vitest';
import { Bench, onEachRedis } from '../support/bench.ts';
import { newReal, steps } from './commands.ts';
import { newModel } from './model.ts';

const seed = Number(process.env.SLUICE_SEED ?? Math.floor(Math.random() * 2 ** 31));
const numRuns = Number(process.env.SLUICE_RUNS ?? 40);
console.info(`model: ${numRuns} runs, seed ${seed} (SLUICE_RUNS and SLUICE_SEED set them)`);

async function runModel(
  bench: Bench,
  options: fc.Parameters<[Iterable<fc.AsyncCommand<ReturnType<typeof newModel>, ReturnType<typeof newReal>>>]>,
) {
  await fc.assert(
    fc.asyncProperty(fc.commands(steps, { maxCommands: 60, size: 'max' }), async (commands) => {
      const fresh = new Bench(bench.redises);
      await fc.asyncModelRun(() => ({ model: newModel(fresh.now), real: newReal(fresh) }), commands);
    }),
    options,
  );
}

onEachRedis(
  'the model',
  (bench) => {
    test('LF3 random commands leave store and model the same', async () => {
      await runModel(bench(), { seed, numRuns });
    }, 120_000);
  },
  ['the embedded Redis', 'redis-server'],
);
