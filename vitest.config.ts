// Tests: .lua files import as text, as they do in the bundle.
import { defineConfig } from 'vitest/config';

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

const luaAsText = {
  name: 'lua-as-text',
  enforce: 'pre' as const,
  transform(source: string, id: string) {
    return id.endsWith('.lua') ? { code: `export default ${JSON.stringify(source)};`, map: null } : undefined;
  },
};

const common = { testTimeout: 30_000, hookTimeout: 30_000, maxConcurrency: 20 }; // those that run at once mostly wait

export default defineConfig({
  test: {
    reporters: ['default'],
    globalSetup: 'test/support/run-folder.ts',
    projects: [
      {
        plugins: [luaAsText],
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
        plugins: [luaAsText],
        test: { ...common, name: 'afterwards', include: AFTERWARDS, maxWorkers: 3, sequence: { groupOrder: 1 } },
      },
    ],
  },
});
