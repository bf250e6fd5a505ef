// Traces: from the caller's span over the enqueue to the handler, at an OTLP endpoint; without bodies, and never in the way.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, describe, expect, test } from 'vitest';
import { deploy, eventually } from '../support/worker.ts';

interface Span {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes: { key: string; value: { stringValue?: string; intValue?: string } }[];
  status?: { code: number };
}

const exports: { path: string; key: string | undefined; text: string }[] = [];
let answer = 200;
const collector = createServer((request, response) => {
  let text = '';
  request.on('data', (chunk) => (text += chunk));
  request.on('end', () => {
    exports.push({ path: request.url ?? '', key: request.headers['x-key'] as string, text });
    response.writeHead(answer).end('{}');
  });
});
await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
afterAll(() => void collector.close());

const deployed = deploy({
  env: {
    SLUICE_OTLP_ENDPOINT: `http://127.0.0.1:${(collector.address() as AddressInfo).port}`,
    SLUICE_OTLP_HEADERS: 'x-key=a%20key, nonsense',
  },
});

const spans = (): Span[] =>
  exports.flatMap(({ text }) =>
    (JSON.parse(text) as { resourceSpans: { scopeSpans: { spans: Span[] }[] }[] }).resourceSpans.flatMap(
      ({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans),
    ),
  );
const attributes = (span: Span | undefined) =>
  Object.fromEntries(
    (span?.attributes ?? []).map(({ key, value }) => [key, value.stringValue ?? Number(value.intValue)]),
  );
const TRACE = '0af7651916cd43dd8448eb211c80319c';
const CALLER = 'b7ad6b7169203331';

async function enqueue(queue: string, headers: Record<string, string> = {}, body: unknown = { secret: 'hush' }) {
  const sent = await deployed().call(`/v1/queues/${queue}/messages`, { body: { body }, headers });
  return ((await sent.json()) as { id: string }).id;
}

const ofMessage = (id: string) => spans().filter((span) => attributes(span)['messaging.message.id'] === id);

describe('with an OTLP endpoint', () => {
  test('the caller, the enqueue and the handler are one trace, in this order', async () => {
    const id = await enqueue('github.review', { traceparent: `00-${TRACE}-${CALLER}-01` });
    await eventually('both spans arrive', () => ofMessage(id).length === 2);
    const send = ofMessage(id).find(({ kind }) => kind === 4);
    const process = ofMessage(id).find(({ kind }) => kind === 5);
    expect(send).toMatchObject({ traceId: TRACE, parentSpanId: CALLER, name: 'send github.review' });
    expect(process).toMatchObject({ traceId: TRACE, parentSpanId: send?.spanId, name: 'process github.review' });
    expect(BigInt(process?.startTimeUnixNano ?? 0)).toBeGreaterThanOrEqual(BigInt(send?.startTimeUnixNano ?? 0));
    expect(process).not.toHaveProperty('status');
  });

  test('the attributes are those of the conventions for messaging, and no body is among them', async () => {
    const id = await enqueue('github.review');
    await eventually('both spans arrive', () => ofMessage(id).length === 2);
    const shared = { 'messaging.system': 'sluice', 'messaging.destination.name': 'github.review' };
    const [send, process] = ofMessage(id).toSorted((a, b) => a.kind - b.kind);
    expect(send).not.toHaveProperty('parentSpanId');
    const named = (name: string) => ({ 'messaging.operation.name': name, 'messaging.operation.type': name });
    expect(attributes(send)).toEqual({ ...shared, ...named('send'), 'messaging.message.id': id });
    expect(attributes(process)).toEqual({
      ...shared,
      ...named('process'),
      'messaging.message.id': id,
      'sluice.attempt': 1,
    });
    expect(exports.map(({ text }) => text).join()).not.toContain('hush');
    expect(exports.every(({ path, key }) => path === '/v1/traces' && key === 'a key')).toBe(true);
  });

  test('a batch is one span, and all its messages belong to it', async () => {
    const messages = [1, 2, 3].map((body) => ({ queue: 'github.activity', body }));
    const traceId = 'c'.repeat(32);
    await deployed().call('/v1/messages', {
      body: { messages },
      headers: { traceparent: `00-${traceId}-${CALLER}-01` },
    });
    const trace = () => spans().filter((span) => span.traceId === traceId);
    await eventually('all four arrive', () => trace().length === 4);
    const send = trace().find(({ kind }) => kind === 4);
    expect(attributes(send)).toMatchObject({ 'messaging.batch.message_count': 3 });
    expect(trace().filter(({ parentSpanId }) => parentSpanId === send?.spanId)).toHaveLength(3);
  });

  test('what the caller does not want kept is passed on, and not exported', async () => {
    const traceId = 'd'.repeat(32);
    const id = await enqueue('reports', { traceparent: `00-${traceId}-${CALLER}-00` });
    const received = await deployed().call('/v1/receive', { body: { queues: ['reports'] } });
    const { messages } = (await received.json()) as { messages: { id: string; headers: Record<string, string> }[] };
    const { headers = {} } = messages.find((message) => message.id === id) ?? {};
    expect(headers.traceparent).toMatch(new RegExp(`^00-${traceId}-(?!${CALLER})[0-9a-f]{16}-00$`));
    expect(spans().some((span) => span.traceId === traceId)).toBe(false);
  });

  test('a collector that refuses stops nothing; the log says so, in a line of JSON', async () => {
    answer = 500;
    const before = deployed().outbox.deliveries.length;
    await enqueue('github.review');
    await eventually('its handler ran', () => deployed().outbox.deliveries.length > before);
    const logged = () => deployed().logs.filter((line) => line.includes('spans refused'));
    await eventually('the log tells', () => logged().length >= 2);
    expect(JSON.parse(logged()[0] ?? '')).toEqual({ level: 'warn', event: 'spans refused', spans: 1, status: 500 });
  });
});
