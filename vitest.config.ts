// Tests: which run side by side, which afterwards, and in which order.
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** What measures its own pace, or waits for processes: when the others, which keep both cores busy, are done. */
const AFTERWARDS = [
  'test/client/consume.test.ts',
  'test/commands.test.ts',
  'test/crash/*.test.ts',
  'test/dashboard/*.test.ts',
  'test/dev.test.ts',
  'test/drain/*.test.ts',
  'test/platform/cpu.test.ts',
  'test/regressions/drain.test.ts',
  'test/storage/clocks.test.ts',
  'test/torture.test.ts',
  'test/worker/recovery.test.ts',
];

/** Those that take longest, in that order: one that began last would run when all others are done. */
const LONGEST = [
  'test/crash/kill.test.ts',
  'test/dev.test.ts',
  'test/drain/life.test.ts',
  'test/storage/refused-inside.test.ts',
  'test/commands.test.ts',
  'test/crash/refused.test.ts',
  'test/storage/wrong-type.test.ts',
  'test/regressions/drain.test.ts',
  'test/crash/drains.test.ts',
  'test/storage/refused-kinds.test.ts',
  'test/flow/limits.test.ts',
  'test/model/model.test.ts',
  'test/unknown-queues.test.ts',
  'test/dashboard/dashboard.test.ts',
  'test/torture.test.ts',
  'test/schedule/fire.test.ts',
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => {
      const found = LONGEST.findIndex((name) => moduleId.endsWith(name));
      return found < 0 ? LONGEST.length : found;
    };
    return (await super.sort(files)).sort((a, b) => place(a) - place(b));
  }
}

const common = { testTimeout: 30_000, hookTimeout: 30_000, maxConcurrency: 20 }; // those that run at once mostly wait

export default defineConfig({
  test: {
    reporters: ['default'],
    globalSetup: ['test/support/scripts.ts', 'test/support/run-folder.ts'],
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          ...common,
          name: 'together',
          include: ['test/**/*.test.ts'],
          exclude: AFTERWARDS,
          maxWorkers: 3, // files wait a good part of their time, and on two cores Vitest takes them one by one
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: { ...common, name: 'afterwards', include: AFTERWARDS, maxWorkers: 3, sequence: { groupOrder: 1 } },
      },
    ],
  },
});
