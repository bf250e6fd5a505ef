// A Worker with a source for each way in which providers ask before they send. Okta, X and Twitch stand so in docs/webhooks.md.
import { api } from '../../src/http/functions.ts';
import { createSluice, defineQueue, defineSource, type Handshake, type SourceOptions } from '../../src/index.ts';

const events = defineQueue('events', { kind: 'pull' });

const okta = defineSource('okta', {
  provider: { header: 'authorization' },
  secret: 'OKTA_SECRET',
  handshake: { method: 'GET', echo: 'x-okta-verification-challenge', json: { verification: '{echo}' } },
  dedup: { ids: ['.eventId'] },
  route: events,
});

const x = defineSource('x', {
  provider: { signature: 'x-twitter-webhooks-signature', mark: 'sha256=', encoding: 'base64' },
  secret: 'X_CONSUMER_SECRET',
  handshake: { method: 'GET', echo: '?crc_token', hmac: 'base64', json: { response_token: 'sha256={hmac}' } },
  route: events,
});

const twitch = defineSource('twitch', {
  provider: {
    signature: 'twitch-eventsub-message-signature',
    mark: 'sha256=',
    content: '{id}{time}{body}',
    id: 'twitch-eventsub-message-id',
    time: { header: 'twitch-eventsub-message-timestamp', unit: 'iso', toleranceS: 600 },
  },
  secret: 'TWITCH_SECRET',
  handshake: {
    when: { 'twitch-eventsub-message-type': 'webhook_callback_verification' },
    echo: '.challenge',
    text: '{echo}',
  },
  headers: ['twitch-eventsub-message-type'],
  route: events,
});

/** Others that sign the body in hex: what matters here is how they ask. */
const asking = (name: string, handshake: Handshake | Handshake[], more: Partial<SourceOptions> = {}) =>
  defineSource(name, {
    provider: { signature: 'x-signature' },
    secret: 'SECRET',
    route: events,
    ...more,
    handshake,
  });

const sources = [
  okta,
  x,
  twitch,
  asking('dropbox', { method: 'GET', echo: '?challenge', text: '{echo}' }),
  asking('trello', { method: 'HEAD' }),
  asking('graph', { unsigned: true, echo: '?validationToken', text: '{echo}' }),
  // Its secret is what it asks with: it can be configured only afterwards.
  asking(
    'asana',
    { unsigned: true, echo: 'x-hook-secret', headers: { 'X-Hook-Secret': '{echo}' } },
    { secret: 'NOBODY_SETS_THIS' },
  ),
  asking('event-grid', [
    {
      method: 'OPTIONS',
      echo: 'webhook-request-origin',
      headers: { 'WebHook-Allowed-Origin': '{echo}', 'WebHook-Allowed-Rate': '*' },
    },
    {
      unsigned: true,
      when: { '.0.eventType': 'Microsoft.EventGrid.SubscriptionValidationEvent' },
      echo: '.0.data.validationCode',
      json: { validationResponse: '{echo}' },
    },
  ]),
  asking('mailchimp', [{ method: 'GET' }, { method: 'HEAD' }]),
  asking('own', [
    {
      method: 'GET',
      when: { '?ask': 'throw' },
      answer: () => {
        throw new Error('the payload must not be logged');
      },
    },
    {
      method: 'GET',
      answer: ({ search }, secret) =>
        search === '' ? undefined : { status: 202, body: `${search} ${secret.length}`, headers: { 'x-own': 'yes' } },
    },
    {
      when: { '.ask': true },
      json: { nested: [{ hmac: '{hmac}' }], n: 1 },
      hmac: 'hex',
      echo: '.a',
    },
  ]),
  asking('hmac-closed', { method: 'GET', echo: '?a', hmac: 'hex', text: '{hmac}' }, { secret: 'NOBODY_SETS_THIS' }),
  asking('plain', []),
];

export default createSluice({ queues: [events], sources, functions: api });
