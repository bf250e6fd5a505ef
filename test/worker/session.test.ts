// Sessions and wrong tokens in the deployed bundle, with a rate-limiting binding: what signing out ends, and whom a flood stops.
import { expect, test } from 'vitest';
import { deploy } from '../support/worker.ts';

const LIMIT = 20;
const FROM_PAGE = { 'sec-fetch-site': 'same-origin', 'content-type': 'application/json' };
let isAway = false;
const deployed = deploy({
  rateLimit: { limit: LIMIT, period: 60 },
  emulator: { faults: () => (isAway ? { kind: 'status-before', status: 503 } : undefined) },
});

async function signIn(): Promise<string> {
  const { stack, call } = deployed();
  const answer = await call('/session', { token: null, body: { token: stack.token }, headers: FROM_PAGE });
  return answer.headers.get('set-cookie')?.split(';')[0] ?? '';
}

const look = async (cookie: string) =>
  (await deployed().call('/session', { method: 'GET', token: null, headers: { cookie } })).status;

const signOut = (cookie: string) =>
  deployed().call('/session', { method: 'DELETE', token: null, headers: { ...FROM_PAGE, cookie } });

test('signing out ends the session for whoever has a copy of its cookie, and no other one', async () => {
  const [mine, other] = [await signIn(), await signIn()];
  expect([await look(mine), await look(other)]).toEqual([200, 200]);
  const answer = await signOut(mine);
  expect(answer.headers.get('set-cookie')).toMatch(/^sluice=; Max-Age=0; /);
  expect([await look(mine), await look(other)]).toEqual([401, 200]);
});

test('where storage is away nobody gets in by cookie, and nobody is told that a session has ended', async () => {
  const cookie = await signIn();
  isAway = true;
  const refused = [await look(cookie), await signOut(cookie)] as const;
  isAway = false;
  expect([refused[0], refused[1].status, refused[1].headers.get('set-cookie')]).toEqual([503, 503, null]);
  expect(await look(cookie)).toBe(200);
});

test('a cookie that nobody signed costs storage nothing, by whatever call', async () => {
  const { stack } = deployed();
  const cookie = await signIn();
  const forged = `${cookie.slice(0, -9)}${cookie.at(-9) === 'A' ? 'B' : 'A'}${cookie.slice(-8)}`;
  const before = await stack.emulator.requests();
  expect([await look(forged), (await signOut(forged)).status]).toEqual([401, 200]);
  expect(await stack.emulator.requests()).toBe(before);
});

test('a bearer token costs no look at sessions', async () => {
  const { stack, call } = deployed();
  const before = await stack.emulator.requests();
  expect((await call('/session', { method: 'GET' })).status).toBe(200);
  expect(await stack.emulator.requests()).toBe(before);
});

test('a flood of wrong tokens from one address is stopped, by each way in, and others go on', async () => {
  const { call } = deployed();
  const from = (address: string) => ({ 'cf-connecting-ip': address });
  const guess = async (address: string) =>
    (await call('/v1/queues', { method: 'GET', token: 'wrong', headers: from(address) })).status;
  const flood = async (address: string) => {
    const statuses = [];
    for (let i = 0; i < LIMIT + 10; i++) statuses.push(await guess(address));
    // Also for what asks in another way, and whatever the token is now.
    const bySession = await call('/session', {
      token: null,
      body: { token: 'wrong' },
      headers: { ...FROM_PAGE, ...from(address) },
    });
    const byCookie = await call('/v1/queues', {
      method: 'GET',
      token: null,
      headers: { cookie: 'sluice=x', ...from(address) },
    });
    return { address, statuses, bySession, byCookie };
  };
  // The binding counts by the minutes of the clock: a flood over the end of one is begun anew, from another address.
  const minute = () => Math.floor(Date.now() / 60_000);
  const floodInOneMinute = async (n: number): ReturnType<typeof flood> => {
    const begun = minute();
    const flooded = await flood(`192.0.2.${n}`);
    return minute() === begun ? flooded : floodInOneMinute(n + 1);
  };
  const { address, statuses, bySession, byCookie } = await floodInOneMinute(1);
  expect(statuses.slice(0, LIMIT)).toEqual(Array(LIMIT).fill(401));
  expect(statuses.slice(LIMIT)).toEqual(Array(10).fill(429));
  expect([bySession.status, byCookie.status, await guess('192.0.2.200')]).toEqual([429, 429, 401]);
  expect(await bySession.json()).toMatchObject({ code: 'rate_limited', detail: 'This address calls too often' });
  expect((await call('/v1/queues', { method: 'GET', headers: from(address) })).status).toBe(200);
});
