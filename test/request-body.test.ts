// Reading request bodies: what a caller breaks off, or sends too much of, is no fault of the deployment and none that it logs.
import { afterEach, describe, expect, test, vi } from 'vitest';
import { route } from '../src/http/route.ts';
import { appOf } from './support/app.ts';

const echo = [
  route('POST /echo', { body: true, maxBytes: 100 }, (_, { object }) => object()),
  route('POST /broken', { body: true, maxBytes: 100 }, async (_, { object }) => {
    await object();
    throw new Error('a fault of ours');
  }),
];
const app = appOf([echo], { config: {} });

/** A body in chunks, that ends in an error where one is given. */
async function post(path: string, chunks: string[], headers: Record<string, string>, error?: Error) {
  const body = new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(new TextEncoder().encode(chunk));
      if (error) controller.error(error);
      else controller.close();
    },
  });
  const answer = await app.request(`https://sluice.example${path}`, {
    method: 'POST',
    headers,
    body,
    duplex: 'half',
  } as RequestInit);
  return { status: answer.status, body: (await answer.json()) as { code?: string } };
}

const logged = vi.spyOn(console, 'error').mockImplementation(() => {});
afterEach(() => logged.mockClear());

describe.each([
  ['of a stated length', { 'content-length': '40' }],
  ['in chunks', { 'transfer-encoding': 'chunked' }],
])('a body %s', (_, headers) => {
  test('is read', async () => {
    expect(await post('/echo', ['{"a":', '"é"}'], headers)).toEqual({ status: 200, body: { a: 'é' } });
  });

  test('that breaks off is the caller’s, and logs no error', async () => {
    const { status, body } = await post('/echo', ['{"a":'], headers, new Error('the connection was lost'));
    expect([status, body.code]).toEqual([400, 'incomplete_body']);
    expect(logged).not.toHaveBeenCalled();
  });

  test('does not hide a fault of ours behind it', async () => {
    const { status, body } = await post('/broken', ['{"a":1}'], headers);
    expect([status, body.code]).toEqual([500, 'internal']);
    expect(logged).toHaveBeenCalledOnce();
  });
});

test('a body that is longer than it may be is refused, with its length stated or not', async () => {
  const long = ['{"a": "', 'x'.repeat(200), '"}'];
  for (const headers of [{ 'content-length': '209' }, { 'transfer-encoding': 'chunked' }]) {
    const { status, body } = await post('/echo', long, headers as Record<string, string>);
    expect([status, body.code]).toEqual([413, 'too_large']);
  }
});
