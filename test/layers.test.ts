// The direction of imports: a lower layer never imports a higher one, and nothing local reaches the deployed bundle.
import { globSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, test } from 'vitest';

/** From the bottom up. A file belongs to the longest prefix that fits; files of one layer may import each other. */
const LAYERS = [
  [
    'src/destinations/',
    'src/duration.ts',
    'src/duration-schema.ts',
    'src/backoff.ts',
    'src/bytes.ts',
    'src/causes.ts',
    'src/errors.ts',
    'src/issues.ts',
    'src/json.ts',
    'src/headers-schema.ts',
    'src/limits.ts',
    'src/message.ts',
    'src/message-options.ts',
    'src/message-json.ts',
    'src/raw.ts',
    'src/digest.ts',
    'src/queue.ts',
    'src/ring.ts',
    'src/config.ts',
    'src/setting.ts',
    'src/token-settings.ts',
    'src/log.ts',
    'src/floating.ts',
    'src/invocation.ts',
    'src/subrequests.ts',
    'src/runtime.ts',
    'src/figures.ts',
  ],
  ['src/store/'],
  [
    'src/complete.ts',
    'src/producer.ts',
    'src/consumer.ts',
    'src/operator.ts',
    'src/inspector.ts',
    'src/audit.ts',
    'src/topics.ts',
    'src/disabling.ts',
    'src/drain/',
    'src/schedule/',
    'src/webhooks/',
    'src/stats.ts',
    'src/telemetry/',
  ],
  ['src/engine.ts', 'src/client/'],
  ['src/http/'],
  ['src/rehearsal.ts', 'src/sluice.ts', 'src/index.ts', 'src/cloudflare.ts'],
  ['functions/', 'src/cli/'],
  ['src/dashboard/'], // it runs in browsers: of the rest it has types only
];
/** What the command line is made of besides itself: it knows the HTTP API and nothing behind it. */
const CLI_USES = ['src/client/', 'src/duration.ts', 'src/errors.ts', 'src/config.ts', 'src/json.ts'];

const layerOf = (file: string) => LAYERS.findIndex((layer) => layer.some((part) => file.startsWith(part)));
const files = globSync(['src/**/*.{ts,tsx}', 'functions/**/*.ts'], { exclude: ['**/*.d.ts'] });

function importsOf(file: string, source: string): string[] {
  const found = source.matchAll(/^(?:import|export)[^'"]*from '(\.[^']+)'|^import '(\.[^']+)'|import\('(\.[^']+)'\)/gm);
  return [...found].map(([, from, bare, dynamic]) => normalize(join(dirname(file), from ?? bare ?? dynamic ?? '')));
}

/** @returns what is wrong with this import, if anything */
function fault(file: string, imported: string): string | undefined {
  if (file.startsWith('src/local/'))
    return imported.startsWith('functions/') ? 'local code imports the deployment' : undefined;
  if (file.startsWith('src/cli/'))
    return ['src/cli/', ...CLI_USES].some((part) => imported.startsWith(part))
      ? undefined
      : 'the command line reaches behind the HTTP API';
  if (imported.startsWith('src/cli/')) return 'the command line in the deployed bundle';
  if (imported.startsWith('src/local/')) return 'local code in the deployed bundle';
  if (layerOf(imported) > layerOf(file)) return 'a lower layer imports a higher one';
  return undefined;
}

describe('imports', () => {
  test.each(files)('%s', (file) => {
    const imports = importsOf(file, readFileSync(file, 'utf8'));
    const faults = imports.map((imported) => [imported, fault(file, imported)]).filter(([, wrong]) => wrong);
    expect(faults).toEqual([]);
    if (!file.startsWith('src/local/'))
      expect(layerOf(file), `${file} has no layer: name one in LAYERS`).toBeGreaterThanOrEqual(0);
  });

  test('the rule itself sees what is wrong', () => {
    expect(importsOf('src/store/a.ts', "import { x } from '../drain/b.ts';\nexport * from './c.ts';")).toEqual([
      'src/drain/b.ts',
      'src/store/c.ts',
    ]);
    expect(fault('src/store/a.ts', 'src/drain/b.ts')).toBeDefined();
    expect(fault('src/index.ts', 'src/local/dev.ts')).toBeDefined();
    expect(fault('src/http/a.ts', 'functions/b.ts')).toBeDefined();
    expect(fault('src/cli/a.ts', 'src/store/b.ts')).toBeDefined();
    expect(fault('functions/a.ts', 'src/cli/b.ts')).toBeDefined();
    expect(fault('src/drain/a.ts', 'src/store/b.ts')).toBeUndefined();
  });

  test('no file imports itself in a circle', () => {
    const graph = new Map(files.map((file) => [file, importsOf(file, readFileSync(file, 'utf8'))]));
    expect(circles(graph)).toEqual([]);
    expect(
      circles(
        new Map([
          ['a', ['b']],
          ['b', ['c']],
          ['c', ['a']],
        ]),
      ),
    ).toEqual(['a > b > c > a']);
  });
});

function circles(graph: Map<string, string[]>): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, path: string[]) => {
    if (path.includes(file)) found.push([...path.slice(path.indexOf(file)), file].join(' > '));
    if (done.has(file) || path.includes(file)) return;
    for (const next of graph.get(file) ?? []) visit(next, [...path, file]);
    done.add(file);
  };
  for (const file of graph.keys()) visit(file, []);
  return found;
}

test('local runs use the compatibility date and flags of the deployment', async () => {
  const [, deployed] = /^compatibility_date = "(.+)"$/m.exec(await readFile('wrangler.toml', 'utf8')) ?? [];
  const local = await readFile('src/local/worker.ts', 'utf8');
  expect(local).toContain(`COMPATIBILITY_DATE = '${deployed}'`);
  const [, flags = ''] = /^compatibility_flags = (.+)$/m.exec(await readFile('wrangler.toml', 'utf8')) ?? [];
  expect(flags).not.toBe('');
  expect(local).toContain(`COMPATIBILITY_FLAGS = ${flags.replaceAll('"', "'")}`);
});
