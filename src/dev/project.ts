/** The project that `sluice dev` runs beside: which platform it is for, by its files, and what that platform does on one machine. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CronCall } from './cron.ts';

export interface Project {
  /** Where the platform looks for settings on this machine. */
  environmentFile: string;
  /** Where its server usually answers. */
  origin: string;
  /** Whether cron comes with CRON_SECRET, which has to be in the settings then. */
  hasCronSecret: boolean;
  /** Where the dashboard is, below the origin; null where what is deployed has none. */
  dashboard: string | null;
  /** What cron is there: the first of these that is not answered with 404. */
  cronAt(origin: string, settings: Record<string, string>): CronCall[];
}

const WORKERS: Project = {
  environmentFile: '.dev.vars',
  origin: 'http://localhost:8787',
  hasCronSecret: false,
  dashboard: '/',
  cronAt: (origin) =>
    // Of wrangler as it is now, and as it was.
    ['/cdn-cgi/local/scheduled', '/cdn-cgi/handler/scheduled', '/__scheduled'].map((path) => ({
      method: 'GET',
      url: `${origin}${path}?cron=*+*+*+*+*`,
    })),
};

const VERCEL: Project = {
  environmentFile: '.env.local',
  origin: 'http://localhost:3000',
  hasCronSecret: true,
  dashboard: '/',
  cronAt: (origin, { CRON_SECRET }) => [{ method: 'GET', url: `${origin}/api/cron`, token: CRON_SECRET }],
};

const NEXT: Project = { ...VERCEL, dashboard: '/api/sluice' };

const OTHER: Project = {
  environmentFile: '.env',
  origin: 'http://localhost:3000',
  hasCronSecret: false,
  dashboard: '/',
  cronAt: (origin, { SLUICE_TOKEN }) => [{ method: 'POST', url: `${origin}/v1/drain`, token: SLUICE_TOKEN }],
};

/** A function takes its bundle along and no files beside it, so it has no dashboard. */
const LAMBDA: Project = { ...OTHER, dashboard: null };

/** Files that only projects of a platform have: the first that is there says which it is. */
const SIGNS: [Project, string[]][] = [
  [WORKERS, ['wrangler.toml', 'wrangler.json', 'wrangler.jsonc']],
  [NEXT, ['next.config.ts', 'next.config.js', 'next.config.mjs']],
  [VERCEL, ['vercel.json', 'vercel.ts']],
  [LAMBDA, ['template.yaml', 'template.yml', 'samconfig.toml', 'serverless.yml', 'cdk.json', 'sst.config.ts']],
];

/** By the folder that [assets] of its configuration names. */
const hasAssets = (configuration: string) => /\bdist\/assets\b/.test(readFileSync(configuration, 'utf8'));

export function findProject(folder: string): Project {
  const [found = OTHER, files = []] =
    SIGNS.find(([, files]) => files.some((file) => existsSync(join(folder, file)))) ?? [];
  if (found === WORKERS) {
    const configuration = files.map((file) => join(folder, file)).find((file) => existsSync(file)) ?? '';
    return hasAssets(configuration) ? WORKERS : { ...WORKERS, dashboard: null };
  }
  if (!dependsOnNext(join(folder, 'package.json'))) return found;
  return NEXT;
}

/** Whether `wrangler dev` would not take a setting from its file: where secrets are named, it takes no others. */
export function leavesOut(folder: string, setting: string): boolean {
  const [, files] = SIGNS.find(([project]) => project === WORKERS) ?? [WORKERS, []];
  const configuration = files.map((file) => join(folder, file)).find((file) => existsSync(file));
  if (configuration === undefined) return false;
  const text = readFileSync(configuration, 'utf8');
  return /^[^#]*\brequired\b/m.test(text) && !text.includes(setting);
}

/** Next.js needs no file of its own, and has one of Vercel's where that runs its cron. */
function dependsOnNext(manifest: string): boolean {
  try {
    const { dependencies, devDependencies } = JSON.parse(readFileSync(manifest, 'utf8'));
    return 'next' in { ...dependencies, ...devDependencies };
  } catch {
    return false; // there is none, or it is being written
  }
}

/**
 * What cron calls.
 * @param asked a URL: with a path it is called as it is, without one it says where the platform's server is; undefined: where it usually is
 */
export function cronCallsFor(
  project: Project,
  asked: string | undefined,
  settings: Record<string, string>,
): CronCall[] {
  const { origin, pathname, href } = new URL(asked ?? project.origin);
  if (pathname === '/') return project.cronAt(origin, settings);
  const isDrain = pathname.endsWith('/v1/drain');
  return [
    { method: isDrain ? 'POST' : 'GET', url: href, token: isDrain ? settings.SLUICE_TOKEN : settings.CRON_SECRET },
  ];
}
