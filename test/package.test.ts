// What is published: a package.json that follows from the repository's, and what is refused to be in the package.
import { describe, expect, test } from 'vitest';
import { listEntries, readManifest } from '../scripts/package/entries.ts';
import { judgeCircles, judgeContents, judgeEngineless, judgeLines, judgeSize } from '../scripts/package/judge.ts';
import { publishedManifest } from '../scripts/package/manifest.ts';

describe('the published package.json', () => {
  const manifest = {
    name: 'sluice',
    version: '1.2.3',
    type: 'module',
    exports: { '.': './src/index.ts', './client': './src/client/index.ts' },
    dependencies: { hono: '^4.0.0' },
    devDependencies: { vitest: '5.0.0' },
    scripts: { prepare: 'node scripts/lua.ts' },
    imports: { '#send': { workerd: './src/delivery/send.ts', default: './src/delivery/send.ts' } },
  };

  test('leads each entry to its module and types, and has nothing of development', () => {
    expect(publishedManifest(manifest)).toEqual({
      name: 'sluice',
      version: '1.2.3',
      type: 'module',
      dependencies: { hono: '^4.0.0' },
      exports: {
        '.': { types: './dist/index.d.ts', default: './dist/index.js' },
        './client': { types: './dist/client.d.ts', default: './dist/client.js' },
        './package.json': './package.json',
      },
      imports: { '#send': { workerd: './dist/delivery-send.js', default: './dist/delivery-send.js' } },
      bin: { sluice: 'dist/cli.js' },
      files: ['dist'],
      sideEffects: false,
      engines: { node: '>=22.12' },
    });
  });

  test('and all that it leads to is built', () => {
    expect(listEntries(manifest)).toEqual([
      { source: 'src/index.ts', name: 'index' },
      { source: 'src/client/index.ts', name: 'client' },
      { source: 'src/delivery/send.ts', name: 'delivery-send' },
      { source: 'src/cli/bin.ts', name: 'cli' },
    ]);
  });

  test('lets users have later versions of what they may use too', () => {
    const { dependencies, devDependencies } = readManifest();
    for (const range of Object.values(dependencies)) expect(range).toMatch(/^\^\d/);
    for (const range of Object.values(devDependencies as Record<string, string>)) expect(range).toMatch(/^\d/);
  });
});

describe('the judges', () => {
  const chunk = (file: string, imports: string[], sources: string[]) => ({ file, imports, sources, code: '' });

  test('see an engine behind an entry for programs elsewhere, however far behind it', () => {
    const chunks = [
      chunk('client.js', ['shared.js'], ['src/client/index.ts']),
      chunk('shared.js', ['engine.js'], ['src/errors.ts']),
      chunk('engine.js', ['shared.js'], ['src/engine/waking.ts']),
      chunk('define.js', [], ['src/queue/queue.ts']),
    ];
    expect(judgeEngineless(chunks)).toEqual(['the entry client loads src/engine/waking.ts']);
  });

  test('see modules that import each other in a circle, and no other', () => {
    const chunks = [chunk('a.js', ['b.js', 'zod'], []), chunk('b.js', ['c.js'], []), chunk('c.js', ['b.js'], [])];
    expect(judgeCircles(chunks)).toEqual(['b.js imports itself in a circle', 'c.js imports itself in a circle']);
    expect(judgeCircles(chunks.slice(0, 2))).toEqual([]);
  });

  test('see lines that Node would fill a terminal with, where something can be thrown', () => {
    const long = 'throw new Error();'.repeat(1_000);
    const lines = ['throw new Error();', `const SCRIPT = "${long}\\"${long}";`, `export { ${long} };`];
    expect(judgeLines([{ ...chunk('a.js', [], []), code: lines.join('\n') }])).toEqual([]);
    const chunks = [{ ...chunk('b.js', [], []), code: [...lines, long].join('\n') }];
    expect(judgeLines(chunks)).toEqual(['b.js has a line of 18000 characters, of 400']);
  });

  test('see what is too large, what nobody needs, and what is missing', () => {
    const tarball = {
      file: '',
      bytes: 460_001,
      contents: ['package.json', 'dist/index.js', 'src/index.ts', 'README.md'],
    };
    expect(judgeSize(tarball)).toEqual(['the tarball has 460001 bytes, of 460000']);
    expect(judgeSize({ ...tarball, bytes: 460_000 })).toEqual([]);
    expect(judgeContents(tarball)).toEqual(['src/index.ts is in the tarball', 'LICENSE is not in the tarball']);
  });
});
