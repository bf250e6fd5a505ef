// Tests: .lua files import as text, as they do in the bundle.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  plugins: [
    {
      name: 'lua-as-text',
      enforce: 'pre',
      transform(source, id) {
        return id.endsWith('.lua') ? { code: `export default ${JSON.stringify(source)};`, map: null } : undefined;
      },
    },
  ],
  test: {
    maxWorkers: 2, // files wait more than they compute, and on two cores Vitest takes them one by one
    include: ['test/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    reporters: ['default'],
  },
});
