// Enqueueing through the client: repeats, what they cost and what they never do.
import { afterEach, describe, expect, test, vi } from 'vitest';
import { createClient, SluiceError } from '../../src/client/index.ts';
import type { Fault } from '../../src/dev/emulator/faults.ts';
import { deploy } from '../support/worker.ts';
import { type Harm, startProxy } from './proxy.ts';

const TOKEN = 'secret-token';

describe('against the deployed bundle', () => {
  let faults: (Fault | undefined)[] = [];
  const deployed = deploy({ emulator: { faults: () => faults.shift() } });
  const options = () => ({
    url: deployed().worker.url,
    token: deployed().stack.token,
    repeat: { baseMs: 5, maxMs: 20 },
  });
  const ready = async () => {
    const answer = await deployed().call('/v1/queues/reports', { method: 'GET' });
    return Object.values(((await answer.json()) as { ready: Record<string, number> }).ready).reduce((a, b) => a + b, 0);
  };

  test.each<[string, Fault[]]>([
    ['refuses before it writes', [{ kind: 'status-before', status: 503 }]],
    ['answers with an error page after it wrote', [{ kind: 'status-after', status: 503 }]],
    ['drops its reply', [{ kind: 'drop-reply' }, { kind: 'drop-reply' }]],
    ['resets the connection', [{ kind: 'reset' }, { kind: 'reset' }]],
  ])('storage that %s: exactly one message', async (_, trouble) => {
    const before = await ready();
    faults = [...trouble];
    const receipt = await createClient(options()).enqueue('reports', { n: 1 });
    expect(receipt).toEqual({ id: expect.any(String), queue: 'reports', state: 'ready', duplicate: false });
    expect(faults).toEqual([]);
    expect(await ready()).toBe(before + 1);
  });

  test('a network that drops three answers: one message, one key, the same bytes each time', async () => {
    const before = await ready();
    const harms: Harm[] = ['drop-reply', 'drop-request', 'drop-reply'];
    const proxy = await startProxy(deployed().worker.url, (_, index) => harms[index]);
    const receipt = await createClient({ ...options(), url: `${proxy.url}/` }).enqueue('reports', { n: 2 });
    await proxy.close();
    expect(await ready()).toBe(before + 1);
    expect(proxy.seen).toHaveLength(4);
    expect(new Set(proxy.seen.map((one) => JSON.stringify(one))).size).toBe(1);
    expect(proxy.seen[0]?.key).toMatch(/^[0-9a-f]{32}$/);
    const again = { idempotencyKey: proxy.seen[0]?.key ?? '' };
    expect((await createClient(options()).enqueue('reports', { n: 2 }, again)).id).toBe(receipt.id);
    expect(await ready()).toBe(before + 1);
  });

  test('a batch is stored once and answered in its order, whatever the network drops', async () => {
    const before = await ready();
    const proxy = await startProxy(deployed().worker.url, (_, index) => (index === 0 ? 'drop-reply' : undefined));
    const messages = Array.from({ length: 1_000 }, (_, n) => ({ queue: 'reports', body: { n } }));
    const receipts = await createClient({ ...options(), url: proxy.url }).enqueueMany(messages);
    await proxy.close();
    expect(new Set(receipts.map(({ id }) => id)).size).toBe(1_000);
    expect(await ready()).toBe(before + 1_000);
  });

  test('what is wrong with a message is thrown field by field, and never sent twice', async () => {
    const proxy = await startProxy(deployed().worker.url, () => undefined);
    const client = createClient({ ...options(), url: proxy.url });
    const body = { to: 'nobody', token: 'a secret in a body' };
    const error = await failure(client.enqueueMany([{ queue: 'confirmation.email', body, options: { delay: -1 } }]));
    expect([error.status, error.code, error.issues.map(({ field }) => field).toSorted()]).toEqual([
      422,
      'invalid_message',
      ['messages[0].body.to', 'messages[0].delay'],
    ]);
    expect((await failure(client.enqueue('no.such.queue', 1))).code).toBe('unknown_queue');
    expect(proxy.seen).toHaveLength(2);
    const unknown = await failure(createClient({ ...options(), token: TOKEN }).enqueue('reports', body));
    expect([unknown.status, unknown.code]).toEqual([401, 'unauthorized']);
    for (const thrown of [error, unknown]) {
      expect(`${thrown.stack}${JSON.stringify(thrown)}`).not.toMatch(/secret/);
    }
    await proxy.close();
  });
});

describe('repeats', () => {
  afterEach(() => void vi.useRealTimers());
  const receipt = { id: 'a', queue: 'q', state: 'ready', duplicate: false };

  /** Answers each try in turn; tells after how long each came. */
  function scripted(answers: (() => Response | Promise<Response>)[]) {
    vi.useFakeTimers();
    const began = Date.now();
    const at: number[] = [];
    const fetch = async () => {
      at.push(Date.now() - began);
      return (answers[at.length - 1] ?? (() => Response.json(receipt, { status: 202 })))();
    };
    return { at, client: createClient({ url: 'http://x', token: TOKEN, fetch }) };
  }
  const status =
    (code: number, headers = {}) =>
    () =>
      new Response('', { status: code, headers });

  test('wait for Retry-After, within bounds, and longer each time', async () => {
    const { at, client } = scripted([
      status(429, { 'retry-after': '2' }),
      status(503, { 'retry-after': '99999999999' }),
      status(502),
      () => Promise.reject(new TypeError('fetch failed')),
    ]);
    const sent = client.enqueue('q', 1);
    await vi.runAllTimersAsync();
    expect(await sent).toEqual(receipt);
    const waits = at.slice(1).map((ms, i) => ms - (at[i] ?? 0));
    const bounds = [[2_000, 2_250], [30_000, 30_000], [500, 1_000], [1_000, 2_000]]; // biome-ignore format: pairs
    expect(waits.map((wait, i) => wait >= (bounds[i]?.[0] ?? 0) && wait <= (bounds[i]?.[1] ?? 0))).toEqual(
      bounds.map(() => true),
    );
  });

  test('end after five, with the last error; a token that a runtime quotes is not in it', async () => {
    const quote = () => Promise.reject(new TypeError(`Bearer ${TOKEN} is bad`, { cause: { code: 'ECONNREFUSED' } }));
    const { at, client } = scripted(Array.from({ length: 9 }, () => quote));
    const failed = failure(client.enqueue('q', 1));
    await vi.runAllTimersAsync();
    expect(at).toHaveLength(6);
    expect([(await failed).status, (await failed).message]).toEqual([
      0,
      'unreachable: the network failed (ECONNREFUSED)',
    ]);
  });

  test.each([400, 401, 403, 404, 405, 409, 413, 422, 301])('are not made for %i', async (code) => {
    const { at, client } = scripted([status(code)]);
    expect((await failure(client.enqueue('q', 1))).status).toBe(code);
    expect(at).toHaveLength(1);
  });

  test('follow an answer that does not come, or is no JSON', async () => {
    const fetch = vi.fn(async (_: string, { signal }: { signal: AbortSignal }) => {
      if (fetch.mock.calls.length === 1) {
        return new Promise<Response>((_resolve, reject) =>
          signal.addEventListener('abort', () => reject(signal.reason)),
        );
      }
      return fetch.mock.calls.length === 2 ? new Response('<html>') : Response.json(receipt);
    });
    const client = createClient({ url: 'http://x', token: TOKEN, fetch, timeoutMs: 20, repeat: { baseMs: 1 } });
    expect(await client.enqueue('q', 1)).toEqual(receipt);
    expect(fetch).toHaveBeenCalledTimes(3);
  });

  test('a token that no header can carry is refused without showing it', () => {
    expect(() => createClient({ url: 'http://x', token: 'sec\nret' })).toThrow(/^the token must be visible ASCII/);
  });

  test('a url or token that no environment gave is missed at once, by its name', () => {
    const nobody = process.env.NO_SUCH_VARIABLE as string;
    const without = (options: object) => () => createClient({ url: 'http://x', token: TOKEN, ...options });
    expect(without({ url: nobody })).toThrow(new TypeError('the url of the deployment is not given: is it set?'));
    expect(without({ token: nobody })).toThrow(new TypeError('the token of the deployment is not given: is it set?'));
  });
});

async function failure(promise: Promise<unknown>): Promise<SluiceError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(SluiceError);
  return error as SluiceError;
}
