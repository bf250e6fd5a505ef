// Handshakes through a bundle as it is deployed: what each provider asks before it sends, and what it hears.
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { buildBundle } from '../../src/dev/bundle.ts';
import { deploy } from '../support/worker.ts';

const SECRET = 'a secret';
const deployed = deploy({
  bundle: await buildBundle('test/webhooks/handshakes-worker.ts'),
  env: { OKTA_SECRET: SECRET, X_CONSUMER_SECRET: SECRET, TWITCH_SECRET: SECRET, SECRET },
});

interface Hook {
  method?: string;
  search?: string;
  headers?: Record<string, string>;
  body?: string;
}

async function ask(source: string, { method = 'POST', search = '', headers: given, ...init }: Hook = {}) {
  const sent = { 'content-type': 'application/json', ...given };
  const answer = await fetch(`${deployed().worker.url}/hooks/${source}${search}`, { method, headers: sent, ...init });
  const { status, headers } = answer;
  return { status, headers, text: await answer.text(), type: headers.get('content-type')?.split(';')[0] };
}

const hmac = (content: string, encoding: 'hex' | 'base64') =>
  createHmac('sha256', SECRET).update(content).digest(encoding);

const json = (fields: unknown) => JSON.stringify(fields);

/** As Twitch signs: the id, the time with nanoseconds, the body. */
function asTwitch(type: string, fields: object, agoMs = 0): Hook {
  const body = json(fields);
  const id = 'e76c6bd4-55c9-4987-8304-da1588d8988b';
  const time = new Date(Date.now() - agoMs).toISOString().replace('Z', '634234Z');
  return {
    body,
    headers: {
      'twitch-eventsub-message-id': id,
      'twitch-eventsub-message-timestamp': time,
      'twitch-eventsub-message-type': type,
      'twitch-eventsub-message-signature': `sha256=${hmac(id + time + body, 'hex')}`,
    },
  };
}

const signed = (body: string): Hook => ({ body, headers: { 'x-signature': hmac(body, 'hex') } });
const VALIDATION = [
  { eventType: 'Microsoft.EventGrid.SubscriptionValidationEvent', data: { validationCode: '512d38b6' } },
];

interface Heard {
  status?: number;
  type?: string;
  text?: string;
  headers?: Record<string, string>;
}

test.each<[string, string, Hook, Heard]>([
  [
    'Okta: a header, as JSON',
    'okta',
    { method: 'GET', headers: { 'X-Okta-Verification-Challenge': 'abc"<b>' } },
    { type: 'application/json', text: '{"verification":"abc\\"<b>"}' },
  ],
  [
    'X: a parameter, as its HMAC',
    'x',
    { method: 'GET', search: '?crc_token=bU9e4vYs9DXkQaQ%3D%3D&nonce=1' },
    { type: 'application/json', text: json({ response_token: `sha256=${hmac('bU9e4vYs9DXkQaQ==', 'base64')}` }) },
  ],
  [
    'Twitch: a field of what it signed',
    'twitch',
    asTwitch('webhook_callback_verification', { challenge: 'pogchamp-<b>' }),
    { type: 'text/plain', text: 'pogchamp-<b>' },
  ],
  [
    'Dropbox: a parameter',
    'dropbox',
    { method: 'GET', search: '?challenge=%3Cscript%3E' },
    { type: 'text/plain', text: '<script>' },
  ],
  ['Trello: HEAD', 'trello', { method: 'HEAD' }, { text: '' }],
  [
    'Microsoft Graph: a parameter of a POST, which nobody signs',
    'graph',
    { search: '?validationToken=Validation%3A+Testing+client' },
    { type: 'text/plain', text: 'Validation: Testing client' },
  ],
  [
    'Asana: a header, before there is a secret',
    'asana',
    { headers: { 'X-Hook-Secret': 'b537207f20cbfa02' }, body: '{}' },
    { text: '', headers: { 'x-hook-secret': 'b537207f20cbfa02' } },
  ],
  [
    'Event Grid: OPTIONS',
    'event-grid',
    { method: 'OPTIONS', headers: { 'WebHook-Request-Origin': 'eventgrid.azure.net' } },
    { text: '', headers: { 'webhook-allowed-origin': 'eventgrid.azure.net', 'webhook-allowed-rate': '*' } },
  ],
  [
    'Event Grid: a POST',
    'event-grid',
    { body: json(VALIDATION) },
    { type: 'application/json', text: '{"validationResponse":"512d38b6"}' },
  ],
  ['Mailchimp: GET', 'mailchimp', { method: 'GET' }, { text: '' }],
  ['Mailchimp: HEAD', 'mailchimp', { method: 'HEAD' }, { text: '' }],
  [
    'your own code',
    'own',
    { method: 'GET', search: '?ask=1' },
    { status: 202, type: 'text/plain', text: `?ask=1 ${SECRET.length}`, headers: { 'x-own': 'yes' } },
  ],
  [
    'a POST by its signature',
    'own',
    signed('{"ask":true,"a":"word"}'),
    { type: 'application/json', text: json({ nested: [{ hmac: hmac('word', 'hex') }], n: 1 }) },
  ],
])('%s', async (_, source, hook, { status = 200, type, text, headers = {} }) => {
  const heard = await ask(source, hook);
  expect([heard.status, heard.text, heard.headers.get('sluice-messages')]).toEqual([status, text, null]);
  if (type) expect(heard.type).toBe(type);
  expect(heard.headers.get('x-content-type-options')).toBe('nosniff');
  for (const [name, value] of Object.entries(headers)) expect([name, heard.headers.get(name)]).toEqual([name, value]);
});

const query = (method: string, search: string): Hook => ({ method, search });

test.each<[string, string, Hook, number]>([
  ['without what is echoed', 'dropbox', query('GET', ''), 403],
  ['with an empty one', 'dropbox', query('GET', '?challenge='), 403],
  ['of more than a kilobyte', 'dropbox', query('GET', `?challenge=${'x'.repeat(1_025)}`), 403],
  ['with a line feed', 'dropbox', query('GET', '?challenge=a%0Ab'), 403],
  ['of characters that are several bytes', 'dropbox', query('GET', `?challenge=${encodeURIComponent('ä')}`), 403],
  ['that would have an event signed', 'x', query('GET', `?crc_token=${encodeURIComponent('{"a":1}')}`), 403],
  ['that would have a form signed', 'x', query('GET', `?crc_token=${encodeURIComponent('a=1&b=2')}`), 403],
  ['whose HMAC needs a secret that is not set', 'hmac-closed', query('GET', '?a=b'), 503],
  ['that breaks a header', 'event-grid', query('OPTIONS', ''), 403],
  [
    'that is not signed',
    'twitch',
    { ...asTwitch('webhook_callback_verification', { challenge: 'a' }), body: '{}' },
    401,
  ],
  [
    'that was signed too long ago',
    'twitch',
    asTwitch('webhook_callback_verification', { challenge: 'a' }, 601_000),
    401,
  ],
  ['by POST without a proof', 'okta', { headers: { 'X-Okta-Verification-Challenge': 'a' }, body: '{}' }, 401],
  ['of a source that is closed, and not by its rule', 'asana', { body: '{}' }, 503],
  ['of nobody', 'own', query('GET', ''), 403],
  ['of code that throws', 'own', query('GET', '?ask=throw'), 500],
])('a question is refused: %s', async (_, source, hook, status) => {
  const heard = await ask(source, hook);
  expect([heard.status, heard.type]).toEqual([status, 'application/problem+json']);
  expect(deployed().logs.join()).not.toContain('the payload must not be logged');
});

test.each([
  ['plain', 'POST'],
  ['dropbox', 'GET, POST'],
  ['trello', 'HEAD, POST'],
  ['graph', 'POST'],
  ['event-grid', 'OPTIONS, POST'],
  ['mailchimp', 'GET, HEAD, POST'],
])('%s takes %s, and says so to the others', async (source, allow) => {
  for (const method of ['GET', 'HEAD', 'OPTIONS'].filter((one) => !allow.includes(one))) {
    const { status, headers } = await ask(source, { method });
    expect([method, status, headers.get('allow')]).toEqual([method, 405, allow]);
  }
});

describe('an event is one still', () => {
  test.each<[string, string, Hook]>([
    ['of Twitch, signed at an ISO instant', 'twitch', asTwitch('notification', { event: {} })],
    ['of X', 'x', { body: '{}', headers: { 'x-twitter-webhooks-signature': `sha256=${hmac('{}', 'base64')}` } }],
    ['of Event Grid', 'event-grid', signed('[{"eventType":"Microsoft.Storage.BlobCreated"}]')],
    ['of Microsoft Graph', 'graph', signed('{"value":[]}')],
  ])('%s', async (_, source, hook) => {
    const heard = await ask(source, hook);
    expect([heard.status, heard.headers.get('sluice-messages')]).toEqual([200, expect.stringMatching(/^events\//)]);
  });

  test('though it comes with what would ask before the proof: then it is answered, and not stored', async () => {
    const heard = await ask('graph', { ...signed('{"value":[]}'), search: '?validationToken=a' });
    expect([heard.text, heard.headers.get('sluice-messages')]).toEqual(['a', null]);
  });
});

test('docs/webhooks.md has three of them as they stand here', () => {
  const page = readFileSync('docs/webhooks.md', 'utf8');
  const [, section = ''] = page.split('\n## Handshakes\n');
  const blocks = [...(section.split('\n## ')[0] ?? '').matchAll(/```ts\n(.*?)```/gs)].map(([, block = '']) => block);
  const worker = readFileSync('test/webhooks/handshakes-worker.ts', 'utf8');
  const examples = blocks.flatMap((block) => block.trim().split('\n\n'));
  expect(examples).toHaveLength(3);
  for (const example of examples) expect(worker).toContain(example);
});
