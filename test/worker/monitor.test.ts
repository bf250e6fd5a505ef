// The monitor of the example deployment: an outage is told once, however often it is seen and whoever dies on the way.
import { afterAll, expect, test } from 'vitest';
import { type Site, type SiteState, startSite } from '../../examples/demo/sites.ts';
import { deploy, eventually } from '../support/worker.ts';

const deployed = deploy();
/** A site that is up may take so long on a machine that does much else. */
const TIMEOUT_MS = 4_000;
const sites: Site[] = [];
afterAll(() => Promise.all(sites.map((site) => site.close())));

async function siteThatIs(state: SiteState): Promise<Site> {
  const site = await startSite(`site ${sites.length}`);
  sites.push(site);
  await site.become(state);
  return site;
}

const call = async (method: string, path: string, body?: unknown) => {
  const answer = await deployed().call(path, { method, ...(body === undefined ? {} : { body }) });
  expect([path, answer.status]).toEqual([path, expect.toSatisfy((status: number) => status < 300)]);
  return (await answer.json()) as Record<string, unknown>;
};

/** One check of the next sites. @returns what its handler found */
async function check(): Promise<unknown> {
  const body = { count: 5, timeoutMs: TIMEOUT_MS };
  const { id } = await call('POST', '/v1/queues/monitor.check/messages', { body, resultTtl: '1h' });
  let message: Record<string, unknown> = {};
  await eventually('the check is done', async () => {
    message = await call('GET', `/v1/messages/${id}`);
    return message.state === 'done';
  });
  return (message.result as { checks: unknown }).checks;
}

/** What has been alerted of a site, when all alerts are delivered. */
async function alertsOf({ url }: Site): Promise<{ fault: string; since: string }[]> {
  await eventually('all alerts are delivered', async () => {
    const { ready, leased, delayed } = await call('GET', '/v1/queues/monitor.alert');
    return JSON.stringify([ready, leased, delayed]) === '[{},0,0]';
  });
  const bodies = deployed().outbox.deliveries.map(({ body }) => body as { site: string; fault: string; since: string });
  return bodies.filter(({ site }) => site === url).map(({ fault, since }) => ({ fault, since }));
}

const watch = (...watched: Site[]) =>
  call('PUT', '/v1/rings/monitor.sites/items', { items: watched.map(({ url }) => url) });
const noted = async () =>
  ((await deployed().call('/v1/rings/monitor.down', { method: 'GET' })).json() as Promise<{ items?: string[] }>).then(
    ({ items = [] }) => items,
  );

test('each kind of outage is told once while it lasts, and again when it comes back', async () => {
  const [up, failing, hanging, refusing] = (await Promise.all(
    (['up', 'failing', 'hanging', 'refusing'] as const).map(siteThatIs),
  )) as [Site, Site, Site, Site];
  await watch(up, failing, hanging, refusing);
  const found = await check();
  expect(found).toEqual([
    { site: up.url },
    { site: failing.url, fault: 'it answered 500' },
    { site: hanging.url, fault: `no answer within ${TIMEOUT_MS} ms` },
    { site: refusing.url, fault: 'no connection' },
  ]);
  expect(await check()).toEqual(found);
  expect(await noted()).toHaveLength(3);
  for (const site of [failing, hanging, refusing]) expect(await alertsOf(site)).toHaveLength(1);
  expect(await alertsOf(up)).toEqual([]);
  for (const site of [failing, hanging, refusing]) await site.become('up');
  await check();
  expect(await noted()).toEqual([]);
  await failing.become('failing');
  await check();
  expect(await alertsOf(failing)).toHaveLength(2);
  await call('DELETE', '/v1/rings/monitor.sites');
});

test('an outage that was noted by a check which died before its alert is told by the next one, since it was noted', async () => {
  const site = await siteThatIs('failing');
  const since = Date.parse('2026-01-02T03:04:05.678Z');
  await watch(site);
  await call('PUT', '/v1/rings/monitor.down/items', { items: [`${since} ${site.url}`] });
  for (let i = 0; i < 2; i++) await check();
  expect(await alertsOf(site)).toEqual([{ fault: 'it answered 500', since: '2026-01-02T03:04:05.678Z' }]);
});
