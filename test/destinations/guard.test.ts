// Deliveries outside Workers: past the guard they end as anywhere else, and they reach no address that is not public.
import type { lookup } from 'node:dns';
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { DeliveryError } from '../../src/delivery/error.ts';
import { openGuard } from '../../src/delivery/guard.ts';
import { withSenders } from '../../src/delivery/http.ts';
import { type Send, sendByFetch } from '../../src/delivery/send.ts';
import { chooseSend as chooseGuarded } from '../../src/delivery/send-guarded.ts';
import { chooseSend as chooseListed } from '../../src/delivery/send-listed.ts';
import { chooseSend as chooseOnWorkers } from '../../src/delivery/send-on-workers.ts';
import { HeldBack } from '../../src/errors.ts';
import { type AddressRules, PUBLIC_ONLY, readHosts } from '../../src/formats/address.ts';
import { isPublicAddress } from '../../src/formats/public-address.ts';
import { defineQueue } from '../../src/index.ts';
import { CERTIFICATE } from '../support/certificate.ts';
import { startTlsReceiver, type TlsReceiver } from '../support/receiving.ts';

const HERE = '127.0.0.1';
/** The machine may stand still for seconds. */
const PATIENT = { timeout: 20_000 };
/** On this machine a receiver stands for one on the internet; every other address is judged as it is. */
const isPublic = (address: string) => address === HERE || isPublicAddress(address);

let receiver: TlsReceiver;
beforeEach(async () => {
  receiver = await startTlsReceiver();
});
afterEach(() => receiver.close());

type Found = string[] | Error | 'never';

/** A resolver that gives these answers one after another, the last one again and again. */
function resolverOf(...answers: Found[]) {
  const asked: string[] = [];
  const resolve = (host: string, _options: object, callback: (error: Error | null, found: object[]) => void) => {
    asked.push(host);
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    if (answer === 'never' || !answer) return;
    const isError = answer instanceof Error;
    const found = isError ? [] : answer.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
    setImmediate(() => callback(isError ? answer : null, found));
  };
  return { asked, resolve: resolve as unknown as typeof lookup };
}

const guardOn = (...answers: Found[]) =>
  openGuard({ resolve: resolverOf(...answers).resolve, isPublic, ca: CERTIFICATE });

interface Delivered {
  send: Send;
  path?: string;
  host?: string;
  destination?: object;
  rules?: AddressRules;
}

/** One delivery, as the handler of its queue. @throws what that throws */
async function deliver({ send, path = '/', host = 'partner.example.net', destination = {}, rules }: Delivered) {
  const { port } = receiver;
  const queue = defineQueue('out', { destination: true });
  const listed = { hosts: readHosts(`${host}:${port} *.example.net:${port}`) ?? [], local: false };
  const { handler } = withSenders(new Map([['out', queue]]), rules ?? listed, {}, send).get('out') ?? {};
  const url = `https://${host}:${port}${path}`;
  const message = { id: 'm1', body: { a: 1 }, attempt: 3, headers: {}, destination: { url, ...destination } };
  const context = { env: {}, signal: AbortSignal.timeout(10_000) };
  return await (handler?.(message as never, context as never) as Promise<unknown>);
}

/** @returns what a delivery says that is not done */
async function failed(delivered: Delivered) {
  const error = await deliver(delivered).then(
    () => expect.unreachable(),
    (error: unknown) => error,
  );
  if (!(error instanceof DeliveryError)) throw error;
  return { text: error.message, ...error.end };
}

describe('a delivery past the guard', () => {
  test('says in the handshake and in its request which name it is for, and carries what any delivery carries', async () => {
    const destination = { method: 'PUT', headers: { 'x-own': 'a' } };
    const ended = await deliver({ send: guardOn([HERE]), path: '/none', host: 'a.partner.example.net', destination });
    expect(ended).toMatchObject({ status: 204 });
    const [{ headers, ...received } = { headers: {} }] = receiver.received;
    expect(received).toMatchObject({
      path: '/none',
      servername: 'a.partner.example.net',
      method: 'PUT',
      body: '{"a":1}',
    });
    expect(headers).toMatchObject({
      host: `a.partner.example.net:${receiver.port}`,
      'content-type': 'application/json',
      'content-length': '7',
      'user-agent': 'Sluice',
      'webhook-id': 'm1',
      'sluice-attempt': '3',
      'x-own': 'a',
    });
  });

  test.each([
    [
      'a redirect, which is not followed',
      '/elsewhere',
      'HTTP 302 (location: https://elsewhere.example.net/)',
      undefined,
    ],
    ['a status that there is not', '/odd', 'HTTP 999: no such status', 'down'],
    ['no end of an answer, of which the beginning is kept', '/endless', `HTTP 500: ${'x'.repeat(4_096)}`, 'down'],
    ['a connection that breaks', '/reset', 'no answer: Error: socket hang up', 'down'],
    ['an upgrade that nobody asked for', '/upgrade', 'no answer: Error: the connection was closed', 'down'],
  ])('fails by %s', async (_, path, text, endpoint) => {
    expect(await failed({ send: guardOn([HERE]), path })).toMatchObject({ text, outcome: 'retry', endpoint });
    expect(receiver.received.map((one) => one.path)).toEqual([path]);
  });

  test('waits as long as it is asked to', async () => {
    const end = await failed({ send: guardOn([HERE]), path: '/busy' });
    expect(end).toMatchObject({ text: 'HTTP 503 (retry-after: 120): later', outcome: 'retry', endpoint: 'down' });
    expect(end.delayMs).toBeGreaterThanOrEqual(120_000);
  });

  test.each<[string, Found, string]>([
    ['an answer', [HERE], '/hang'],
    ['a resolver', 'never', '/'],
  ])('waits for %s no longer than it may', async (_, found, path) => {
    const destination = { timeoutMs: 150 };
    const end = await failed({ send: guardOn(found), path, destination });
    expect(end).toMatchObject({ text: 'timeout: no answer within 150 ms', outcome: 'retry', endpoint: 'down' });
  });

  test.each<[string, Partial<Delivered>, Found, RegExp]>([
    [
      'of a name that is not there',
      {},
      new Error('getaddrinfo ENOTFOUND partner.example.net'),
      /^no answer: .*ENOTFOUND/,
    ],
    ['of one without an address', {}, [], /^no answer: .* has no address/],
    ['with a certificate of another', { host: 'example.net' }, [HERE], /^no answer: .*does not match certificate/],
  ])('fails by the name: %s', async (_, delivered, found, text) => {
    const end = await failed({ send: guardOn(found), ...delivered });
    expect(end).toMatchObject({ text: expect.stringMatching(text), outcome: 'retry', endpoint: 'down' });
    expect(receiver.received).toEqual([]);
  });

  test('with a certificate that nobody vouches for is not made', async () => {
    const end = await failed({ send: openGuard({ resolve: resolverOf([HERE]).resolve, isPublic }) });
    expect(end.text).toMatch(/^no answer: .*self-signed/);
    expect(receiver.received).toEqual([]);
  });

  test('leaves its connection to the next one, and does not where the rest of an answer is long', async () => {
    const send = guardOn([HERE]);
    await deliver({ send, path: '/long' });
    await vi.waitFor(() => expect(receiver.ended()).toBe(1), PATIENT);
    await deliver({ send });
    await vi.waitFor(async () => {
      await deliver({ send });
      const [before, last] = receiver.received.slice(-2);
      expect(last?.connection).toBe(before?.connection);
    }, PATIENT);
  });
});

describe('what leads inside is refused when the connection is made: it comes again, as where a destination is down', () => {
  const refused = async (send: Send, host?: string) => {
    expect(await failed({ send, ...(host ? { host } : {}) })).toEqual({
      text: `no answer: PrivateAddress: ${host ?? 'partner.example.net'} leads to an address that is not public`,
      outcome: 'retry',
      endpoint: 'down',
    });
  };

  test.each([
    [['10.0.0.7']],
    [['169.254.169.254']],
    [['100.100.100.200']],
    [['0.0.0.0']],
    [['::1']],
    [['fd00:ec2::254']],
    [['fe80::1%eth0']],
    [['::ffff:127.0.0.2']],
    [['64:ff9b::7f00:2']],
    [['224.0.0.1']],
    [['no address']],
    [[HERE, '10.0.0.7']],
    [['10.0.0.7', HERE]],
    [['fd00::1', HERE]],
    [[HERE, '2606:4700::1111', '::']],
  ])('%j', async (found) => {
    await refused(guardOn(found));
    expect(receiver.connections()).toBe(0);
  });

  test('also by a name with a dot behind it', async () => {
    await refused(guardOn(['10.0.0.7']), 'partner.example.net.');
  });

  test('this machine, by the rule as it stands', async () => {
    await refused(openGuard({ resolve: resolverOf([HERE]).resolve, ca: CERTIFICATE }));
    expect(receiver.connections()).toBe(0);
  });

  test('a name that changes after it was looked at: the next connection is judged anew, one that is open leads where it led', async () => {
    const { resolve, asked } = resolverOf([HERE], ['10.0.0.7']);
    const send = openGuard({ resolve, isPublic, ca: CERTIFICATE });
    const post = async (path: string) => {
      const request = {
        method: 'POST',
        headers: new Headers(),
        body: new Uint8Array(),
        signal: AbortSignal.timeout(5_000),
      };
      const { status, body } = await send(new URL(`https://partner.example.net:${receiver.port}${path}`), request);
      await new Response(body as ReadableStream<Uint8Array<ArrayBuffer>>).text();
      await new Promise((resolve) => setImmediate(resolve)); // from then on its connection serves the next one
      return status;
    };
    expect([await post('/'), await post('/last')]).toEqual([200, 200]);
    expect(receiver.received.map(({ connection }) => connection)).toEqual([1, 1]);
    expect(asked).toHaveLength(1);
    await refused(send);
    expect([asked.length, receiver.connections()]).toEqual([2, 1]);
  });

  test('what a connection turns out to lead to, whatever was looked up: nothing is sent by it', async () => {
    let looks = 0;
    const { resolve } = resolverOf([HERE]);
    await refused(openGuard({ resolve, isPublic: () => looks++ === 0, ca: CERTIFICATE }));
    expect([receiver.connections(), receiver.received]).toEqual([1, []]);
  });

  test('a name that the deployment has listed, past what Node has under #send', async () => {
    const { port } = receiver;
    const queue = defineQueue('out', { destination: { url: `https://localhost:${port}/` } });
    const rules = { hosts: readHosts(`localhost:${port}`) ?? [], local: false };
    const { handler } = withSenders(new Map([['out', queue]]), rules).get('out') ?? {};
    const context = { env: {}, signal: AbortSignal.timeout(5_000) };
    const ended = Promise.resolve(handler?.({ id: 'm', body: 1, attempt: 1, headers: {} } as never, context as never));
    await expect(ended).rejects.toThrow('localhost leads to an address that is not public');
    expect(receiver.connections()).toBe(0);
  });

  test('an address that is listed itself is called: it is what was named', async () => {
    const { resolve, asked } = resolverOf('never');
    const end = await failed({ send: openGuard({ resolve, ca: CERTIFICATE }), host: HERE });
    expect(end.text).toMatch(/^no answer: .*does not match certificate/); // which has no addresses in it
    expect([asked, receiver.connections()]).toEqual([[], 1]);
  });
});

describe('by which way deliveries go', () => {
  const local: AddressRules = { hosts: [], local: true };
  const listed: AddressRules = { hosts: readHosts('a.com') ?? [], local: false };

  test('on this machine, and on Workers, by fetch', () => {
    for (const choose of [chooseGuarded, chooseListed, chooseOnWorkers]) expect(choose(local)).toBe(sendByFetch);
    expect(chooseOnWorkers(PUBLIC_ONLY)).toBe(sendByFetch);
    vi.stubGlobal('navigator', { userAgent: 'Cloudflare-Workers' });
    expect(chooseGuarded(PUBLIC_ONLY)).toBe(sendByFetch);
    vi.unstubAllGlobals();
  });

  test('where nothing can guard them to listed hosts only; others wait for a deployment that can', async () => {
    expect(chooseListed(listed)).toBe(sendByFetch);
    const delivered = deliver({ send: chooseListed(PUBLIC_ONLY) });
    await expect(delivered).rejects.toThrow(HeldBack);
    await expect(delivered).rejects.toThrow('SLUICE_DESTINATION_HOSTS');
    expect(receiver.connections()).toBe(0);
  });

  test('each runtime has its own', () => {
    const { imports } = JSON.parse(readFileSync('package.json', 'utf8'));
    expect(Object.entries(imports['#send']).map(([on, file]) => `${on} ${file}`)).toEqual([
      'workerd ./src/delivery/send-on-workers.ts',
      'bun ./src/delivery/send-guarded.ts',
      'deno ./src/delivery/send-guarded.ts',
      'node ./src/delivery/send-guarded.ts',
      'default ./src/delivery/send-listed.ts',
    ]);
  });
});
