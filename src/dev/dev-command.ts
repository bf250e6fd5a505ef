/** What `sluice dev` does in a project: Redis and its REST API, the settings of the project for them, and cron, beside the platform's own server. */
import { existsSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { startTicker, tellingTick } from './cron.ts';
import type { Limits } from './emulator/plan.ts';
import { completeFile, readSettings } from './environment-file.ts';
import { type Kept, openKept } from './kept.ts';
import { cronCallsFor, findProject, type Project } from './project.ts';
import { newSecret } from './secrets.ts';
import { localEnvironment, type Storage, startStorage } from './storage.ts';

export interface DevOptions {
  port: number;
  /** See LocalOptions. */
  redis?: string;
  /** Where the data and the secrets are kept. */
  data: string;
  /** Begins anew: other secrets where the project has none yet, no data. */
  fresh: boolean;
  /** Where cron is called: see cronCallsFor. `none`: nowhere. */
  cron?: string;
  limits: Limits;
}

/** What was started, and what the project has of it. */
export interface DevReport {
  redisUrl: string;
  redisToken: string;
  /** For people: which Redis is used. */
  redis: string;
  /** Of the API. */
  token: string;
  /** The file with the settings, and the names that were added to it. */
  environment: { file: string; added: string[] };
  /** What a tick calls; null where there is no cron. */
  cron: string | null;
  /** null where the project has none. */
  dashboard: string | null;
  /** What may be wrong, a sentence each. */
  warnings: string[];
}

export interface Dev {
  report: DevReport;
  close(): Promise<void>;
}

/**
 * @param say is given lines about cron, when something changes
 * @throws MissingPeer; RangeError where `redis` or `cron` is no URL; Error where the port is taken
 */
export async function startDev(folder: string, options: DevOptions, say: (line: string) => void): Promise<Dev> {
  const project = findProject(folder);
  checkCron(options.cron);
  const file = join(folder, project.environmentFile);
  const [storage, token] = await startKept(folder, options, readSettings(file));
  try {
    const secret = project.hasCronSecret ? { CRON_SECRET: newSecret() } : {};
    const settings = { ...localEnvironment(storage, token), ...secret };
    const { values, added } = completeFile(file, settings);
    const calls = options.cron === 'none' ? [] : cronCallsFor(project, options.cron, values);
    const ticker =
      calls.length > 0 ? startTicker(tellingTick(calls, say), (error) => say(`cron: ${String(error)}`)) : undefined;
    const report: DevReport = {
      redisUrl: storage.url,
      redisToken: storage.token,
      redis: storage.redis,
      token: values.SLUICE_TOKEN ?? token,
      environment: { file: project.environmentFile, added },
      cron: calls[0]?.url ?? null,
      dashboard: dashboardAt(project, options.cron),
      warnings: warningsOf(project, values, storage.url),
    };
    return {
      report,
      async close() {
        ticker?.stop();
        await storage.close();
      },
    };
  } catch (error) {
    await storage.close();
    throw error;
  }
}

/**
 * Nobody can guess the token of the storage either: each page that a browser shows may ask what listens on this machine.
 * @param given the settings of the project, which may name this storage already
 * @returns the storage, and the token of the API: those of the last run, or new ones
 */
async function startKept(
  folder: string,
  { data, fresh, ...options }: DevOptions,
  given: Record<string, string>,
): Promise<[Storage, token: string]> {
  const kept = await openData(resolve(folder, data), fresh);
  const { port, limits, redis } = options;
  const isNamed = given.UPSTASH_REDIS_REST_URL === `http://127.0.0.1:${port}`;
  const known = (isNamed && given.UPSTASH_REDIS_REST_TOKEN) || (await kept.secret('storage-token', newSecret));
  const storage = await startStorage({ redis, data: kept.data, token: known, port, limits }).catch((error) => {
    if (error.code !== 'EADDRINUSE') throw error;
    throw new Error(`port ${port} is taken: another \`sluice dev\` may be running; --port takes another`);
  });
  return [storage, await kept.secret('token', newSecret)];
}

/** A folder that is made here tells git to ignore it, so that nobody has to think of that. */
async function openData(folder: string, fresh: boolean): Promise<Kept> {
  const isNew = !existsSync(folder);
  const kept = await openKept(folder, { fresh });
  if (isNew) writeFileSync(join(folder, '.gitignore'), '*\n');
  return kept;
}

/** @throws RangeError */
function checkCron(asked: string | undefined): void {
  if (asked === undefined || asked === 'none' || /^https?:\/\/./.test(asked)) return;
  throw new RangeError(`--cron must be a URL such as http://localhost:3000, or none; got ${JSON.stringify(asked)}`);
}

function dashboardAt({ origin, dashboard }: Project, cron: string | undefined): string | null {
  if (dashboard === null) return null;
  const served = cron === undefined || cron === 'none' ? origin : new URL(cron).origin;
  return `${served}${dashboard}`;
}

/** The URL may hold a secret: only its host is shown. */
function warningsOf(
  { environmentFile }: Project,
  { UPSTASH_REDIS_REST_URL = '' }: Record<string, string>,
  url: string,
): string[] {
  if (UPSTASH_REDIS_REST_URL === url) return [];
  const host = URL.canParse(UPSTASH_REDIS_REST_URL) ? new URL(UPSTASH_REDIS_REST_URL).host : 'another database';
  return [`UPSTASH_REDIS_REST_URL of ${environmentFile} leads to ${host}: the Redis that was started here is not used`];
}
