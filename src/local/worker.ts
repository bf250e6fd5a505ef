/** The deployed bundle in workerd, on this machine. */
import { Miniflare, NoOpLog } from 'miniflare';
import { ASSETS } from './assets/build.ts';
import type { Bundle } from './bundle.ts';

export interface LocalWorker {
  url: string;
  /** Runs the Worker's cron handler once and waits for it. @throws Error where the handler threw */
  tick(): Promise<void>;
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
  /** Lines that the Worker logs. Default: to this process' stdout and stderr. */
  log?: ((line: string) => void) | undefined;
}

// As in wrangler.toml: a test compares.
const COMPATIBILITY_DATE = '2026-10-20';
const COMPATIBILITY_FLAGS = ['global_fetch_strictly_public'];

export async function startWorker({ bundle, env, port = 0, rateLimit, log }: LocalWorkerOptions): Promise<LocalWorker> {
  const miniflare = new Miniflare({
    host: '127.0.0.1',
    port,
    cf: false,
    logRequests: false,
    log: new NoOpLog(),
    unsafeTriggerHandlers: true,
    ...(log ? { handleStructuredLogs: ({ message }: { message: string }) => log(message) } : {}),
    workers: [
      {
        config: {
          name: 'sluice',
          compatibilityDate: COMPATIBILITY_DATE,
          compatibilityFlags: COMPATIBILITY_FLAGS,
          manifest: { mainModule: bundle.mainModule, modulesRoot: process.cwd(), modules: bundle.modules },
          assets: { directory: ASSETS, hasUserWorker: true },
          env: {
            ...Object.fromEntries(Object.entries(env).map(([name, value]) => [name, { type: 'text', value }])),
            ...(rateLimit ? { RATE_LIMITER: { type: 'rate-limit', namespace: '1001', simple: rateLimit } } : {}),
          },
        },
      },
    ],
  });
  const url = (await miniflare.ready).origin;
  return {
    url,
    async tick() {
      const worker = await miniflare.getWorker();
      const { outcome } = await worker.scheduled({ cron: '* * * * *', scheduledTime: new Date() });
      if (outcome !== 'ok') throw new Error(`the cron handler ended with "${outcome}"`);
    },
    kill: () => miniflare.dispose(), // Miniflare ends workerd by SIGKILL
  };
}
