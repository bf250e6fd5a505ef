/** `npm run check`: all that is judged without running the tests, or the one part that is named. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { sentence } from '../src/dev/command.ts';
import { buildScripts } from './lua.ts';

const HELP = `Usage: npm run check [-- part [its options]]

Makes what is made of Lua, then runs the parts one after another, prints each command before it runs, and stops at the first that
fails, with its exit code.

  types     the TypeScript compiler, for the repository and for the dashboard; the library with the types of one platform alone
  lint      rules and format; npm run format writes the format
  unused    files, exports and dependencies that nobody uses
  openapi   builds the API's document, and lints it
  sizes     how large are the bundles that users make, and of what they consist; --json prints each part
  package   builds what is published into dist/package, and judges it
  install   only where named: installs it in projects outside the repository, and has it do the main job on every platform that
            runs here; with a word, only the files of test/install/ whose names have it
  cpu       only where it is named: the CPU time of fresh isolates; --help prints its options
`;

/** By part, what is run: a package's binary, or a file on this Node. */
const PARTS: Record<string, string[]> = {
  types: ['tsc', 'tsc -p src/dashboard', 'tsc -p test/types/node', 'tsc -p test/types/workers'],
  lint: ['biome ci --colors=off --error-on-warnings .'],
  unused: ['knip'],
  openapi: ['scripts/build.ts', 'redocly lint dist/assets/openapi.json'],
  sizes: ['scripts/sizes.ts'],
  package: ['scripts/package.ts', 'publint run dist/package --strict', 'attw dist/sluice.tgz --profile esm-only'],
  install: ['vitest run --config test/install/vitest.config.ts'],
  cpu: ['scripts/cpu/cpu-command.ts'],
};
const ALL = ['types', 'lint', 'unused', 'openapi', 'sizes', 'package'];

const ROOT = join(import.meta.dirname, '..');
const QUIET = { REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' };

const [part, ...options] = process.argv.slice(2);
if (part === '--help') console.log(HELP);
else if (part === undefined) await check(ALL);
else if (part in PARTS) await check([part]);
else fail(`there is no part ${JSON.stringify(part)}: ${Object.keys(PARTS).join(', ')}`);

async function check(parts: string[]): Promise<void> {
  await buildScripts().catch((error) => fail(sentence(error)));
  for (const command of parts.flatMap((name) => PARTS[name] ?? [])) {
    const status = run([...command.split(' '), ...options]);
    if (status !== 0) process.exit(status);
  }
}

/** @returns its exit code */
function run([name = '', ...args]: string[]): number {
  console.error(`> ${[name, ...args].join(' ')}`);
  const [file, before] = name.endsWith('.ts')
    ? [process.execPath, [join(ROOT, name)]]
    : [join(ROOT, 'node_modules/.bin', name), []];
  const { status, error } = spawnSync(file, [...before, ...args], {
    cwd: ROOT,
    env: { ...process.env, ...QUIET },
    stdio: 'inherit',
  });
  if (error) console.error(`error: ${error.message}`);
  return status ?? 1;
}

function fail(message: string): never {
  console.error(`error: ${message}`);
  process.exit(1);
}
