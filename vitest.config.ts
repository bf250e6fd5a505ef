// Tests: which run side by side, which afterwards, in which order, and which share a process.
import { globSync, readFileSync } from 'node:fs';
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
  'test/commands.test.ts',
  'test/crash/kill.test.ts',
  'test/dev.test.ts',
  'test/drain/life.test.ts',
  'test/regressions/drain.test.ts',
  'test/dashboard/dashboard.test.ts',
  'test/crash/refused.test.ts',
  'test/crash/drains.test.ts',
  'test/torture.test.ts',
  'test/drain/drain.test.ts',
  'test/model/model.test.ts',
  'test/flow/limits.test.ts',
  'test/store/operators-see.test.ts',
  'test/storage/refused-inside.test.ts',
  'test/schedule/fire.test.ts',
  'test/unknown-queues.test.ts',
  'test/cli/commands.test.ts',
  'test/store/sync.test.ts',
  'test/storage/refused-kinds.test.ts',
  'test/model/turns.test.ts',
  'test/storage/wrong-type.test.ts',
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

const common = {
  testTimeout: 30_000,
  hookTimeout: 30_000,
  maxConcurrency: 20, // those that run at once mostly wait
  maxWorkers: 3, // files wait a good part of their time, and on two cores Vitest takes them one by one
};

/** What puts others in the place of globals or modules has a worker of its own; all other files share theirs, and what is loaded. */
const isApart = (file: string) => /\bvi\.(mock|doMock|spyOn|stub|useFakeTimers)/.test(readFileSync(file, 'utf8'));

const projectsOf = (name: string, files: string[], groupOrder: number) =>
  [true, false].map((isolate) => {
    const include = files.filter((file) => isApart(file) === isolate);
    const ownName = isolate ? `${name}, apart` : name;
    return { test: { ...common, name: ownName, include, isolate, sequence: { groupOrder } } };
  });

const late = globSync(AFTERWARDS);
const early = globSync('test/**/*.test.ts').filter((file) => !late.includes(file));

export default defineConfig({
  test: {
    reporters: ['default'],
    globalSetup: ['test/support/scripts.ts', 'test/support/run-folder.ts'],
    sequence: { sequencer: LongestFirst },
    projects: [...projectsOf('together', early, 0), ...projectsOf('afterwards', late, 1)],
  },
});
