/** What `sluice dev` does in a project: Redis and its REST API, the settings of the project for them, and cron, beside the platform's own server. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { startTicker, tellingTick } from './cron.ts';
import type { Limits } from './emulator/plan.ts';
import { completeFile, readSettings } from './environment-file.ts';
import { openKept } from './kept.ts';
import { lockFolder } from './lock.ts';
import { cronCallsFor, findProject, leavesOut, type Project } from './project.ts';
import { newSecret } from './secrets.ts';
import { localEnvironment, type Storage, startStorage } from './storage.ts';

export interface DevOptions {
  port: number;
  /** See LocalOptions. */
  redis?: string;
  /** See LocalOptions. They answer at the port and those behind it. */
  shards?: number;
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
  shards: { name: string; redisUrl: string; state: string }[];
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
 * @throws MissingPeer; RangeError where `redis` or `cron` is no URL; Error where the port is taken, or the folder of the data is in use
 */
export async function startDev(folder: string, options: DevOptions, say: (line: string) => void): Promise<Dev> {
  const project = findProject(folder);
  checkCron(options.cron);
  const [storage, token] = await startKept(folder, project, options);
  try {
    const secret = project.hasCronSecret ? { CRON_SECRET: newSecret() } : {};
    const settings = { ...localEnvironment(storage, token), ...secret };
    const file = join(folder, project.environmentFile);
    const { values, added } = completeFile(file, settings);
    const calls = options.cron === 'none' ? [] : cronCallsFor(project, options.cron, values);
    const ticker =
      calls.length > 0 ? startTicker(tellingTick(calls, say), (error) => say(`cron: ${String(error)}`)) : undefined;
    const report: DevReport = {
      redisUrl: storage.shards[0].url,
      redisToken: storage.shards[0].token,
      shards: storage.shards.map(({ name, url, state }) => ({ name, redisUrl: url, state })),
      redis: storage.redis,
      token: values.SLUICE_TOKEN ?? token,
      environment: { file: project.environmentFile, added },
      cron: calls[0]?.url ?? null,
      dashboard: dashboardAt(project, options.cron),
      warnings: warningsOf(folder, project, readSettings(file), settings),
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
 * Nobody can guess the token of the storage either: each page that a browser shows may ask what listens on this machine. Where the
 * settings of the project name this storage already, it has the token that stands there.
 * @returns the storage, whose end leaves the data to the next run, and the token of the API: those of the last run, or new ones
 */
async function startKept(
  folder: string,
  { environmentFile }: Project,
  { data, fresh, port, limits, redis, shards }: DevOptions,
): Promise<[Storage, token: string]> {
  const place = resolve(folder, data);
  makeFolder(place);
  const unlock = lockFolder(place);
  try {
    const kept = await openKept(place, { fresh });
    const given = readSettings(join(folder, environmentFile));
    const isNamed = given.UPSTASH_REDIS_REST_URL === `http://127.0.0.1:${port}`;
    const known = (isNamed && given.UPSTASH_REDIS_REST_TOKEN) || (await kept.secret('storage-token', newSecret));
    const emulator = (_: string, at: number) => ({ token: known, port: port === 0 ? 0 : port + at, limits });
    const storage = await startStorage({ redis, data: kept.data, shards, emulator });
    const token = await kept.secret('token', newSecret);
    return [{ ...storage, close: () => storage.close().finally(unlock) }, token];
  } catch (error) {
    unlock();
    const { code, port: taken = port } = error as NodeJS.ErrnoException & { port?: number };
    throw code === 'EADDRINUSE' ? portTaken(taken, environmentFile) : error;
  }
}

/** A folder that is made here tells git to ignore it, so that nobody has to think of that. */
function makeFolder(folder: string): void {
  if (existsSync(folder)) return;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeFileSync(join(folder, '.gitignore'), '*\n');
}

const portTaken = (port: number, file: string) =>
  new Error(
    `port ${port} is taken: another \`sluice dev\` may be running. --port takes another; give the same one each time, ` +
      `because UPSTASH_REDIS_REST_URL in ${file} stays that of the first run`,
  );

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

/** The URL may hold a secret: only its host is shown. @param given what the file has */
function warningsOf(
  folder: string,
  { environmentFile }: Project,
  given: Record<string, string>,
  started: Record<string, string>,
): string[] {
  const { UPSTASH_REDIS_REST_URL: url = '', SLUICE_SHARDS: shards = '' } = given;
  const anew = 'Without that line the next start writes it anew';
  if (shards !== (started.SLUICE_SHARDS ?? '')) {
    const instead = started.SLUICE_SHARDS ? anew : 'Without that line it is';
    return [`SLUICE_SHARDS of ${environmentFile} has other shards: what was started here is not used. ${instead}`];
  }
  if (shards !== '' && leavesOut(folder, 'SLUICE_SHARDS'))
    return [`wrangler dev takes no SLUICE_SHARDS from ${environmentFile} until "required" of [secrets] names it, too`];
  if (url === (started.UPSTASH_REDIS_REST_URL ?? '')) return [];
  const host = URL.canParse(url) ? new URL(url).host : 'another database';
  return [
    `UPSTASH_REDIS_REST_URL of ${environmentFile} leads to ${host}: the Redis that was started here is not used. ${anew}`,
  ];
}
