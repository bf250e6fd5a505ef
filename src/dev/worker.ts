/** The deployed bundle in workerd, on this machine. */
import { Miniflare, type MiniflareOptions, NoOpLog } from 'miniflare';
import { ASSETS } from './assets.ts';
import type { Bundle } from './bundle.ts';
import { loadError } from './load-error.ts';
import { positionsIn } from './positions.ts';

export interface LocalWorker {
  url: string;
  /** Runs the Worker's cron handler once and waits for it. @throws Error where the handler threw */
  tick(): Promise<void>;
  /** Puts other code in its place, on the same port: what runs in it is cut off. @throws LoadError; then the old one goes on */
  replace(bundle: Bundle): Promise<void>;
  /** Ends workerd by SIGKILL, whatever it is doing. */
  kill(): Promise<void>;
}

export interface RateLimit {
  limit: number;
  period: 10 | 60;
}

export interface LocalWorkerOptions {
  bundle: Bundle;
  /** The Worker's bindings. */
  env: Record<string, string>;
  port?: number;
  /** The binding RATE_LIMITER: so many calls of each key in so many seconds. */
  rateLimit?: RateLimit | undefined;
  /** The binding DRAINER. */
  drainer?: boolean | undefined;
  /** Where its alarms are kept. Default: they end with the Worker. */
  alarms?: string | undefined;
  /** `false`: no static files stand beside it, and no dashboard. */
  files?: boolean | undefined;
  /** Lines that the Worker logs. Default: to this process' stdout and stderr. */
  log?: ((line: string) => unknown) | undefined;
}

// As in wrangler.toml: a test compares.
export const COMPATIBILITY_DATE = '2026-10-20';
export const COMPATIBILITY_FLAGS = ['global_fetch_strictly_public'];
const RUN_WORKER_FIRST = ['/v1/*', '/hooks/*'];
const NAME = 'sluice';
const DRAINER = 'SluiceDrainer';

/** @throws LoadError where its code throws as it is loaded: a definition is wrong */
export async function startWorker(given: LocalWorkerOptions): Promise<LocalWorker> {
  let isUp = false; // what is logged before is the error that is thrown here
  const { log } = given;
  const options = log ? { ...given, log: (line: string) => isUp && log(line) } : given;
  const miniflare = new Miniflare(settingsFor(options));
  const { origin: url } = await miniflare.ready.catch(async (error: unknown) => {
    await miniflare.dispose().catch(() => {});
    throw loadError(error, given.bundle);
  });
  isUp = true;
  return {
    url,
    async tick() {
      const worker = await miniflare.getWorker();
      const { outcome } = await worker.scheduled({ cron: '* * * * *', scheduledTime: new Date() });
      if (outcome !== 'ok') throw new Error(`the cron handler ended with "${outcome}"`);
    },
    async replace(bundle) {
      const next = { ...options, bundle };
      await (await startWorker({ ...next, port: 0, alarms: undefined, log: () => {} })).kill(); // one that does not start replaces nothing
      await miniflare.setOptions(settingsFor({ ...next, port: Number(new URL(url).port) }));
    },
    kill: () => miniflare.dispose(), // Miniflare ends workerd by SIGKILL
  };
}

/** What Miniflare is given. */
export function settingsFor({
  bundle,
  env,
  port = 0,
  rateLimit,
  drainer,
  alarms,
  files = true,
  log,
}: LocalWorkerOptions): MiniflareOptions {
  const readable = positionsIn(bundle);
  return {
    host: '127.0.0.1',
    port,
    cf: false,
    logRequests: false,
    log: new NoOpLog(),
    unsafeTriggerHandlers: true,
    ...(alarms === undefined ? {} : { resourcePersistencePath: alarms }),
    ...(log ? { handleStructuredLogs: ({ message }: { message: string }) => log(readable(message)) } : {}),
    workers: [
      {
        config: {
          name: NAME,
          compatibilityDate: COMPATIBILITY_DATE,
          compatibilityFlags: COMPATIBILITY_FLAGS,
          manifest: { mainModule: bundle.mainModule, modulesRoot: '/', modules: bundle.modules },
          ...(drainer ? { exports: { [DRAINER]: { type: 'durable-object', storage: 'sqlite' } } } : {}),
          ...(files ? { assets: { directory: ASSETS, hasUserWorker: true, runWorkerFirst: RUN_WORKER_FIRST } } : {}),
          env: {
            ...Object.fromEntries(Object.entries(env).map(([name, value]) => [name, { type: 'text', value }])),
            ...(drainer ? { DRAINER: { type: 'durable-object', worker: NAME, exportName: DRAINER } } : {}),
            ...(rateLimit ? { RATE_LIMITER: { type: 'rate-limit', namespace: '1001', simple: rateLimit } } : {}),
          },
        },
      },
    ],
  };
}
