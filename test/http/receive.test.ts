// Receiving, as the route judges it before storage is asked.
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { receive } from '../../src/http/functions.ts';
import { defineQueue } from '../../src/index.ts';
import { appOf } from '../support/app.ts';

const sha256 = createHash('sha256').update('known').digest('hex');
const config = { SLUICE_TOKENS: [{ name: 'ci', sha256, scopes: ['receive'], queues: ['*'] }] };

test.each([
  ['whose handler is here', defineQueue('push', { handler: () => {} })],
  ['whose handler another deployment has', defineQueue('push', { kind: 'push' })],
])('a push queue %s gives nothing to consumers elsewhere', async (_, queue) => {
  const app = appOf([receive], { config, queues: new Map([[queue.name, queue]]) });
  const answer = await app.request('/v1/receive', {
    method: 'POST',
    headers: { authorization: 'Bearer known' },
    body: JSON.stringify({ queues: ['push'] }),
  });
  expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([409, 'not_a_pull_queue']);
});
