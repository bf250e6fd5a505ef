// Sources with each kind of queue, through a bundle as it is deployed: what comes in arrives there, byte by byte, or is refused with a reason.
import { createHmac, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { afterAll, describe, expect, test } from 'vitest';
import { buildBundle } from '../../src/dev/bundle.ts';
import type { Raw } from '../../src/message/raw.ts';
import { deploy, eventually } from '../support/worker.ts';
import { QUEUES, RELAY } from './pairs-queues.ts';

const SECRET = 'a secret';
const RELAY_SECRET = `whsec_${Buffer.from('a secret of thirty-two bytes, so').toString('base64')}`;

interface Relayed {
  path: string;
  headers: Record<string, string>;
  bytes: Buffer;
}
const relayed: Relayed[] = [];
const relay = createServer(async (request, response) => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const { url: path = '', headers } = request;
  relayed.push({ path, headers: headers as Record<string, string>, bytes: Buffer.concat(chunks) });
  response.end();
});
await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
afterAll(() => new Promise((resolve) => relay.close(resolve)));

const bundle = await buildBundle('test/webhooks/pairs-worker.ts');
for (const part of Object.values(bundle.modules)) {
  part.contents = part.contents.replaceAll(RELAY, `http://127.0.0.1:${(relay.address() as AddressInfo).port}`);
}
const deployed = deploy({ bundle, env: { GITHUB_WEBHOOK_SECRET: SECRET, RELAY_SECRET } });

/** JSON that nobody would write again so: its spaces, its escapes, its numbers. */
const event = () =>
  Buffer.from(`{"id" : "${randomUUID()}",\r\n "name": "\\u00e4\\/", "n": 1.0, "big": 90071992547409931}`);

async function send(source: string, body: Buffer, delivery: string = randomUUID()) {
  const headers = {
    'content-type': 'application/json; charset=UTF-8',
    'x-hub-signature-256': `sha256=${createHmac('sha256', SECRET).update(body).digest('hex')}`,
    'x-github-delivery': delivery,
    'x-github-event': 'push',
  };
  const answer = await fetch(`${deployed().worker.url}/hooks/${source}`, { method: 'POST', headers, body });
  const text = await answer.text();
  const places = (answer.headers.get('sluice-messages') ?? '').split(', ').map((place) => place.split('/'));
  return { status: answer.status, text, queues: places.map(([queue]) => queue), ids: places.map(([, id = '']) => id) };
}

interface Received {
  id: string;
  raw: Raw;
}
const pulled = new Map<string, Received>();
async function receive(queue: string): Promise<void> {
  const answer = await deployed().call('/v1/receive', { body: { queues: [queue], max: 100 } });
  const { messages } = (await answer.json()) as { messages: Received[] };
  for (const message of messages) pulled.set(message.id, message);
}

/** What handlers said of these messages, in its order: `begin` with the bytes, and `end`. */
function said(ids: string[]): { what: string; id: string; bytes: string }[] {
  return deployed().logs.flatMap((line) => {
    const [, what = '', id = '', bytes = ''] = /(begin|end) \w+ (\w+) ?([\d,]*)/.exec(line) ?? [];
    return ids.includes(id) ? [{ what, id, bytes }] : [];
  });
}

/** How a message of each kind reaches who works on it, and with which bytes. */
const arrived: Record<string, (id: string, sent: Buffer) => Promise<void>> = {
  async pull(id, sent) {
    await eventually('it is received', async () => {
      await Promise.all([receive('pull'), receive('deduped')]);
      return pulled.has(id);
    });
    expect(pulled.get(id)?.raw).toEqual({ type: 'application/json; charset=UTF-8', text: sent.toString() });
  },
  async push(id) {
    await eventually('it is handled', () =>
      deployed().logs.some((line) => line.includes(`begin `) && line.includes(id)),
    );
  },
  async relay(id, sent) {
    await eventually('it is delivered', () => relayed.some(({ headers }) => headers['webhook-id'] === id));
    const all = relayed.filter(({ headers }) => headers['webhook-id'] === id);
    expect(all).toHaveLength(1);
    const [{ headers, bytes }] = all as [Relayed];
    expect(bytes).toEqual(sent);
    expect(headers).toMatchObject({
      'content-type': 'application/json; charset=UTF-8',
      'x-github-event': 'push',
      'sluice-attempt': '1',
    });
    // The package throws where the signature is not right, of these bytes and at this time.
    new Webhook(RELAY_SECRET).verify(bytes.toString(), headers);
    expect(headers['x-hub-signature-256']).toBeUndefined();
  },
};

const WORKED_ON: Record<keyof typeof QUEUES, keyof typeof arrived> = {
  push: 'push',
  pull: 'pull',
  relay: 'relay',
  named: 'relay',
  ordered: 'push',
  limited: 'push',
  deduped: 'pull',
};
const kinds = Object.keys(QUEUES) as (keyof typeof QUEUES)[];

describe.each(kinds)('a queue of the kind %s', (kind) => {
  const ways = [`by-${kind}`, ...(kind === 'named' ? [] : [`all-${kind}`])];

  test.each(ways)('takes what comes in through %s, once', async (source) => {
    const [sent, delivery] = [event(), randomUUID()];
    const first = await send(source, sent, delivery);
    expect([first.status, first.queues]).toEqual([200, [kind]]);
    const again = await send(source, sent, delivery);
    expect([again.status, again.ids]).toEqual([200, first.ids]);
    await arrived[WORKED_ON[kind]]?.(first.ids[0] ?? '', sent);
  });
});

test('all kinds at once take one event, each once', async () => {
  const sent = event();
  const { status, queues, ids } = await send('everywhere', sent);
  expect([status, queues]).toEqual([200, kinds]);
  for (const [place, kind] of kinds.entries()) await arrived[WORKED_ON[kind]]?.(ids[place] ?? '', sent);
});

test('a destination that the message names gets what the route gives it', async () => {
  const { ids } = await send('by-named', event());
  await eventually('it is delivered', () => relayed.some(({ headers }) => headers['webhook-id'] === ids[0]));
  const delivery = relayed.find(({ headers }) => headers['webhook-id'] === ids[0]);
  expect([delivery?.path, delivery?.headers.authorization]).toEqual(['/named', 'Bearer of the route']);
});

test.each([
  ['no text', Buffer.from([0xff, 0xfe, 0, 1, 0xc3])],
  ['behind a byte order mark', Buffer.from('\uFEFF{"a":1}')],
  ['no bytes at all', Buffer.alloc(0)],
])('what is %s is relayed and signed as it came', async (_, sent) => {
  const { ids } = await send('all-relay', sent);
  await eventually('it is delivered', () => relayed.some(({ headers }) => headers['webhook-id'] === ids[0]));
  const { bytes, headers } = relayed.find(({ headers }) => headers['webhook-id'] === ids[0]) as Relayed;
  expect(bytes).toEqual(sent);
  const key = Buffer.from(RELAY_SECRET.slice('whsec_'.length), 'base64');
  const mac = createHmac('sha256', key).update(`${ids[0]}.${headers['webhook-timestamp']}.`).update(sent);
  expect(headers['webhook-signature']).toBe(`v1,${mac.digest('base64')}`);
});

test('a queue of the same name is the one of the deployment', async () => {
  const sent = event();
  const { status, ids } = await send('namesake', sent);
  expect(status).toBe(200);
  await arrived.relay?.(ids[0] ?? '', sent);
});

test('of an ordered queue events come in their order, one at a time; of a limited one as many as it says', async () => {
  for (const kind of ['ordered', 'limited'] as const) {
    const ids: string[] = [];
    for (let n = 0; n < 5; n++) ids.push((await send(`by-${kind}`, event())).ids[0] ?? '');
    await eventually('all are handled', () => said(ids).length === 10);
    const seen = said(ids);
    for (let at = 0; at < seen.length; at += 2) {
      expect([seen[at]?.what, seen[at + 1]?.what, seen[at + 1]?.id]).toEqual(['begin', 'end', seen[at]?.id]);
    }
    if (kind === 'ordered') expect(seen.filter(({ what }) => what === 'begin').map(({ id }) => id)).toEqual(ids);
  }
});

test("a queue's own way with keys changes nothing for deliveries: another event is no replacement", async () => {
  const heard = [await send('all-deduped', event()), await send('all-deduped', event())];
  expect(new Set(heard.flatMap(({ ids }) => ids)).size).toBe(2);
});

test.each([
  ['a priority, where the queue is ordered', 'hurried', { field: 'priority', code: 'ordered' }],
  ['no destination, where the queue has no url', 'lost', { field: 'destination', code: 'required' }],
  ['a destination, where the queue has its own', 'redirected', { field: 'destination', code: 'invalid' }],
])(
  'a route that names %s is refused, with its reason, and nothing of the event is stored',
  async (_, source, issue) => {
    const before = await deployed().call('/v1/queues/pull', { method: 'GET' });
    const heard = await send(source, event());
    expect([heard.status, JSON.parse(heard.text)]).toMatchObject([503, { code: 'invalid_route', errors: [issue] }]);
    const line = `"source":"${source}","error":"${issue.field}: ${issue.code}"`;
    await eventually('it is logged', () => deployed().logs.join().includes(line));
    const after = await deployed().call('/v1/queues/pull', { method: 'GET' });
    expect(await after.json()).toEqual(await before.json());
  },
);
