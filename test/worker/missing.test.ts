// What a deployment lacks is said where it is asked for: a secret, and a name that it does not know. Through the deployed bundle.
import { expect, test } from 'vitest';
import { deploy, eventually } from '../support/worker.ts';

const deployed = deploy(); // without WEBHOOK_OUT_SECRETS

const call = async (method: string, path: string, body?: object) => {
  const answer = await deployed().call(path, { method, ...(body ? { body } : {}) });
  // biome-ignore lint/suspicious/noExplicitAny: what it answers is what the tests look at
  return { status: answer.status, body: (await answer.json()) as any };
};

test('a delivery that cannot be signed waits, costs no attempt, and its queue and the log say why', async () => {
  const queue = '/v1/queues/webhook.out';
  const { body } = await call('POST', `${queue}/messages`, { body: 1, destination: deployed().outbox.url });
  await eventually('it was tried', () => deployed().logs.some((line) => line.includes('delivery held back')));
  let report: object = {};
  await eventually('it waits: it is settled after that was logged', async () => {
    report = (await call('GET', `/v1/messages/${body.id}`)).body;
    return 'state' in report && report.state === 'delayed';
  });
  expect(report).toMatchObject({ attempt: 1, failures: [] });
  expect((await call('GET', queue)).body.missingSecrets).toEqual(['WEBHOOK_OUT_SECRETS']);
  const { queues } = (await call('GET', '/v1/queues')).body;
  const lacking = queues.filter((report: object) => 'missingSecrets' in report);
  expect(lacking).toMatchObject([{ queue: 'webhook.out', missingSecrets: ['WEBHOOK_OUT_SECRETS'] }]);
  const log = deployed().logs.find((line) => line.includes('delivery held back')) ?? '';
  expect(JSON.parse(log)).toMatchObject({ level: 'error', queue: 'webhook.out', id: body.id });
});

test('where a message goes, and how, stands in its report', async () => {
  const destination = { url: 'https://partner.example.com/hook', method: 'PUT' };
  const { body } = await call('POST', '/v1/queues/webhook.out/messages', { body: 1, destination, delay: '1d' });
  expect((await call('GET', `/v1/messages/${body.id}`)).body).toMatchObject({
    destination: destination.url,
    method: 'PUT',
  });
});

const ID = '0VcNH3LPUCjnld8Zzqrk';
test.each([
  ['POST', '/v1/queues/invoise/messages', 'unknown_queue', 'invoise', { body: 1 }],
  ['GET', '/v1/queues/invoise', 'unknown_queue', 'invoise'],
  ['GET', '/v1/queues/invoise/messages', 'unknown_queue', 'invoise'],
  ['GET', '/v1/queues/invoise/dead/causes', 'unknown_queue', 'invoise'],
  ['PATCH', '/v1/queues/invoise', 'unknown_queue', 'invoise', { paused: true }],
  ['POST', '/v1/queues/invoise/pause', 'unknown_queue', 'invoise'],
  ['POST', '/v1/queues/invoise/purge', 'unknown_queue', 'invoise'],
  ['POST', '/v1/queues/invoise/dead/redrive', 'unknown_queue', 'invoise'],
  ['DELETE', '/v1/queues/invoise/dead', 'unknown_queue', 'invoise'],
  ['GET', '/v1/stats?queue=invoise', 'unknown_queue', 'invoise'],
  ['POST', '/v1/receive', 'unknown_queue', 'invoise', { queues: ['invoise'] }],
  ['GET', `/v1/messages/${ID}`, 'unknown_message', ID],
  ['DELETE', `/v1/messages/${ID}`, 'unknown_message', ID],
  ['GET', '/v1/topics/invoises', 'unknown_topic', 'invoises'],
  ['POST', '/v1/topics/invoises/messages', 'unknown_topic', 'invoises', { type: 'a', body: 1 }],
  ['GET', '/v1/schedules/nightli', 'unknown_schedule', 'nightli'],
  ['POST', '/v1/schedules/nightli/run', 'unknown_schedule', 'nightli'],
  ['GET', '/v1/rings/sitez', 'unknown_ring', 'sitez'],
  ['POST', '/hooks/githup', 'unknown_source', 'githup', {}],
])('%s %s: %s says which', async (method, path, code, name, body?: object) => {
  expect(await call(method, path, body)).toMatchObject({
    status: 404,
    body: { code, detail: expect.stringContaining(`(${name})`) },
  });
});

test.each(['<b>', 'a b', 'x'.repeat(65), '%1b[2J'])('a name that can be none is not repeated: %s', async (name) => {
  const { status, body } = await call('GET', `/v1/queues/${encodeURIComponent(name)}`);
  expect(status).toBe(404);
  expect(body).not.toHaveProperty('detail');
});

test('a call without a body is one without fields, where none has to be there', async () => {
  const queue = '/v1/queues/reports';
  await call('POST', `${queue}/messages`, { body: 1 });
  expect(await call('POST', `${queue}/purge`)).toMatchObject({ status: 200, body: { purged: 1 } });
  const { id } = (await call('POST', `${queue}/messages`, { body: 2 })).body;
  const { lease } = (await call('POST', '/v1/receive', { queues: ['reports'] })).body;
  await call('POST', `/v1/leases/${lease}/settle`, { settle: [{ id, outcome: 'dead' }] });
  expect(await call('POST', `${queue}/dead/redrive`)).toMatchObject({
    status: 200,
    body: { messages: [{ id, status: 'redriven' }] },
  });
  expect(await call('POST', '/v1/rings/sites/rotate')).toMatchObject({ status: 200, body: { items: [] } });
  expect(await call('POST', '/v1/receive')).toMatchObject({ status: 400, body: { code: 'invalid_json' } });
  expect(await call('PATCH', queue)).toMatchObject({ status: 400 });
});
