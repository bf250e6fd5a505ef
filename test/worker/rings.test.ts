// Rings through the deployed bundle: what goes in comes round, tokens see their own, bounds are told and change nothing.
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { deploy } from '../support/worker.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const TOKENS = JSON.stringify([
  { name: 'all', sha256: sha256('all'), scopes: ['receive', 'admin'] },
  { name: 'rotator', sha256: sha256('rotator'), scopes: ['receive'], queues: ['sites', 'shops.*'] },
  { name: 'shops', sha256: sha256('shops'), scopes: ['admin'], queues: ['shops.*'] },
]);
const deployed = deploy({ env: { SLUICE_TOKENS: TOKENS } });

const call = async (method: string, path: string, body?: unknown, token = 'all') => {
  const answer = await deployed().call(`/v1/rings${path}`, { method, token, ...(body === undefined ? {} : { body }) });
  return [answer.status, await answer.json()] as [number, Record<string, unknown>];
};

test('items come round in their order, page by page they can be seen, and what was removed comes no more', async () => {
  const items = ['https://a.example', 'https://b.example', 'https://c.example'];
  expect(await call('PUT', '/sites/items', { items })).toEqual([200, { ring: 'sites', added: 3, length: 3 }]);
  expect(await call('PUT', '/sites/items', { items })).toEqual([200, { ring: 'sites', added: 0, length: 3 }]);
  expect(await call('POST', '/sites/rotate', { count: 2 })).toEqual([200, { ring: 'sites', items: items.slice(0, 2) }]);
  const [, page] = await call('GET', '/sites?limit=2');
  expect(page).toEqual({ ring: 'sites', length: 3, items: [items[2], items[0]], cursor: '2' });
  const [, last] = await call('GET', `/sites?limit=2&cursor=${page.cursor}`);
  expect(last).toEqual({ ring: 'sites', length: 3, items: [items[1]] });
  expect(await call('DELETE', '/sites/items', { items: [items[2], 'x'] })).toEqual([
    200,
    { ring: 'sites', removed: 1, length: 2 },
  ]);
  expect(await call('POST', '/sites/rotate', { count: 1_000 })).toEqual([
    200,
    { ring: 'sites', items: items.slice(0, 2) },
  ]);
  expect(await call('POST', '/sites/rotate', {})).toEqual([200, { ring: 'sites', items: items.slice(0, 1) }]);
  expect(await call('DELETE', '/sites')).toEqual([200, { ring: 'sites', removed: 2, length: 0 }]);
  expect((await call('GET', '/sites'))[1]).toMatchObject({ code: 'unknown_ring' });
  expect(await call('POST', '/sites/rotate', {})).toEqual([200, { ring: 'sites', items: [] }]);
});

test("a token's patterns are for rings as for queues, in the list too", async () => {
  for (const ring of ['shops.eu', 'shops.us', 'sites']) await call('PUT', `/${ring}/items`, { items: ['a'] });
  const listed = async (token: string) => {
    const [, { rings }] = await call('GET', '', undefined, token);
    return (rings as { ring: string }[]).map(({ ring }) => ring);
  };
  expect([await listed('all'), await listed('shops')]).toEqual([
    ['shops.eu', 'shops.us', 'sites'],
    ['shops.eu', 'shops.us'],
  ]);
  const codes = async (...calls: Parameters<typeof call>[]) =>
    (await Promise.all(calls.map((one) => call(...one)))).map(([status, { code }]) => [status, code]);
  expect(
    await codes(
      ['POST', '/shops.eu/rotate', {}, 'rotator'],
      ['POST', '/other/rotate', {}, 'rotator'],
      ['PUT', '/sites/items', { items: ['b'] }, 'rotator'],
      ['PUT', '/sites/items', { items: ['b'] }, 'shops'],
      ['GET', '/shops.us', undefined, 'shops'],
      ['POST', '/shops.us/rotate', {}, 'shops'],
    ),
  ).toEqual([
    [200, undefined],
    [403, 'forbidden'],
    [403, 'forbidden'],
    [403, 'forbidden'],
    [200, undefined],
    [403, 'forbidden'],
  ]);
});

test('eight clients at once: in a full turn of a thousand items each comes exactly once', async () => {
  const items = Array.from({ length: 1_000 }, (_, i) => `https://site${i}.example`);
  await call('PUT', '/thousand/items', { items });
  const seen: unknown[] = [];
  const client = async () => {
    for (let i = 0; i < 5; i++) seen.push(...((await call('POST', '/thousand/rotate', { count: 25 }))[1].items as []));
  };
  await Promise.all(Array.from({ length: 8 }, client));
  expect(seen.toSorted()).toEqual(items.toSorted());
});

test('a full ring takes nothing and says so; what is wrong is named by its field', async () => {
  for (let from = 0; from < 10_000; from += 1_000) {
    await call('PUT', '/full/items', { items: Array.from({ length: 1_000 }, (_, i) => String(from + i)) });
  }
  expect(await call('PUT', '/full/items', { items: ['one more'] })).toEqual([
    409,
    expect.objectContaining({ code: 'ring_full' }),
  ]);
  const errors = async (method: string, path: string, body: unknown) => {
    const [status, { errors: wrong }] = await call(method, path, body);
    return [status, (wrong as { field: string }[]).map(({ field }) => field)];
  };
  const long = ['x'.repeat(1_024), 'x'.repeat(1_025)];
  expect([
    await errors('PUT', '/sites/items', { items: ['a', '', ...long] }),
    await errors('PUT', '/sites/items', { items: [] }),
    await errors('PUT', '/sites/items', { items: Array(1_001).fill('a') }),
    await errors('DELETE', '/sites/items', { item: 'a' }),
    await errors('POST', '/sites/rotate', { count: 0 }),
  ]).toEqual([
    [422, ['items.1', 'items.3']],
    [422, ['items']],
    [422, ['items']],
    [422, ['items', 'item']],
    [422, ['count']],
  ]);
});
