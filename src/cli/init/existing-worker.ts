/** What a Worker that is there lacks: its configuration, and its entry, which passes on what is Sluice's. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { readTemplateFile } from './template.ts';
import { describeLacks, findLacks, readJsonc, readToml, type Tables } from './wrangler-config.ts';

const CONFIGURATIONS = ['wrangler.toml', 'wrangler.json', 'wrangler.jsonc'];
const ENTRY = 'worker.ts';

export interface ExistingWorker {
  /** By the file of the template that is not written: the project's own in its place, and what that lacks; '' where it lacks nothing. */
  instead: Map<string, { file: string; add: string }>;
  /** Whether its configuration has the dashboard's files. */
  hasDashboard: boolean;
}

/** @returns undefined where the folder has no configuration of wrangler and no entry of the template's name */
export function examineWorker(folder: string): ExistingWorker | undefined {
  const instead: ExistingWorker['instead'] = new Map();
  const file = CONFIGURATIONS.find((name) => existsSync(join(folder, name)));
  const text = file === undefined ? '' : readFileSync(join(folder, file), 'utf8');
  const language = file === 'wrangler.toml' ? 'toml' : 'json';
  const present = language === 'toml' ? readToml(text) : readJsonc(text);
  if (file !== undefined) {
    const wanted = readToml(readTemplateFile('workers', 'wrangler.toml'));
    instead.set('wrangler.toml', { file, add: describeLacks(findLacks(present, wanted), language) });
  }
  const main = mainOf(present);
  if (main !== ENTRY || existsSync(join(folder, ENTRY)))
    instead.set(ENTRY, { file: main, add: lacksOfEntry(folder, main, hasMinute(present)) });
  if (instead.size === 0) return undefined;
  return { instead, hasDashboard: file === undefined || /sluice\/dist\/assets/.test(text) };
}

function mainOf(present: Tables): string {
  const [, main] = /^["'](.+)["']$/.exec(present.get('')?.get('main')?.trim() ?? '') ?? [];
  return main === undefined ? ENTRY : normalize(main);
}

/** Whether something of its own runs each minute. */
const hasMinute = (present: Tables) => present.get('triggers')?.get('crons')?.includes('* * * * *') === true;

/** One that imports it is taken to have the rest, too. */
function lacksOfEntry(folder: string, main: string, hasMinute: boolean): string {
  const path = join(folder, main);
  const hasIt = existsSync(path) && /from\s*['"][^'"]*\bsluice\b/.test(readFileSync(path, 'utf8'));
  const module = relative(dirname(main), 'sluice.ts').replaceAll('\\', '/');
  return hasIt ? '' : entryLines(module.startsWith('.') ? module : `./${module}`, hasMinute ? 'await' : 'return');
}

/** @param verb `return`, so that a handler of the Worker's own times does not run each minute from now on */
const entryLines = (module: string, verb: 'await' | 'return') => `// at the top:
import { sluice } from '${module}';

// in fetch(request, env, ctx), before what is yours:
if (/^\\/(v1|hooks|session|health)(\\/|$)/.test(new URL(request.url).pathname)) return sluice.fetch(request, env, ctx);

// beside fetch; where you have a scheduled, its first line is the one in the middle:
async scheduled(event, env, ctx) {
  if (event.cron === '* * * * *') ${verb} sluice.scheduled(event, env, ctx);
},
`;
