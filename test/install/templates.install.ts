// What `sluice init` writes: on each platform it is made, installed of the tarball and started, and does the main job; and so does the
// example of one more use that stands beside it.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { PLATFORMS } from '../../src/cli/init/platform.ts';
import { eventually } from '../support/worker.ts';
import type { Settings, Site } from './support/main-job.ts';
import { createFromTemplate, STARTERS } from './support/templates.ts';
import { copyUse, SIGN_UPS } from './support/uses.ts';

const SECRET = 'a-secret-of-the-install-tests-and-of-nobody-else';
/** Packages are installed, and what has to be built is built. */
const START_MS = 300_000;

describe.each(PLATFORMS)('sluice init --%s', (platform) => {
  let cwd: string;
  let settings: Settings;
  let site: Site;
  beforeAll(async () => {
    const { redis } = inject('installRun');
    settings = {
      UPSTASH_REDIS_REST_URL: redis.url,
      UPSTASH_REDIS_REST_TOKEN: redis.token,
      SLUICE_PREFIX: randomUUID(),
      SLUICE_TOKEN: SECRET,
      CRON_SECRET: `${SECRET}-but-cron`,
    };
    cwd = await createFromTemplate(platform);
    await copyUse(platform, cwd);
    site = await STARTERS[platform](cwd, settings);
  }, START_MS);
  afterAll(() => site?.server.stop());

  const call = (path: string, body?: unknown) => {
    const init = { headers: { authorization: `Bearer ${SECRET}`, 'content-type': 'application/json' } };
    const sent = body === undefined ? init : { ...init, method: 'POST', body: JSON.stringify(body) };
    return fetch(`${site.url}${path}`, sent);
  };
  const enqueue = async (message: object) => (await call('/v1/queues/welcome.email/messages', message)).status;
  const handled = (to: string, printed = site.server.printed) =>
    eventually(`${to} has a mail`, () => printed().includes(`welcome mail to ${to}, attempt 1`)).catch(
      (error: Error) => {
        throw new Error(`${error.message}\n${printed()}`);
      },
    );
  const cron = async () => {
    const answer = await (site.cron?.() ?? call('/v1/drain', {}));
    expect(answer.ok, `cron: ${answer.status}\n${site.server.printed()}`).toBe(true);
  };

  test('what is enqueued is handled; what does not fit is refused, and the process goes on', async () => {
    expect(await enqueue({ body: { to: 'ada@example.com' } }), site.server.printed()).toBe(202);
    expect(await enqueue({ body: { to: 'nobody' } })).toBe(422);
    await handled('ada@example.com');
    expect(site.server.isAlive()).toBe(true);
  });

  test('what is delayed comes with a tick of cron, which knows the schedule too', async () => {
    expect(await enqueue({ body: { to: 'bob@example.com' }, delay: '1s' })).toBe(202);
    await new Promise((resolve) => setTimeout(resolve, 1_000)); // it is due then
    await cron();
    await handled('bob@example.com');
    const { schedules } = (await (await call('/v1/schedules')).json()) as { schedules: unknown[] };
    expect(schedules).toMatchObject([{ id: 'weekly-report' }]);
  });

  test('the example of one more use enqueues from its own code', async () => {
    const { status, printed, stop } = await SIGN_UPS[platform]('grace@example.com', { cwd, settings, site });
    try {
      expect(status, printed()).toBe(202);
      await handled('grace@example.com', printed);
    } finally {
      await stop();
    }
  });

  test('in the end nothing waits and nothing is leased', async () => {
    await eventually('all is done', async () => {
      const { queues } = (await (await call('/v1/queues')).json()) as { queues: Counts[] };
      return queues.every(({ ready, leased, dead }) => Object.keys(ready).length + leased + dead === 0);
    });
  });
});

interface Counts {
  ready: Record<string, number>;
  leased: number;
  dead: number;
}
