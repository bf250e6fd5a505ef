/**
 * Providers: what each signs, how its deliveries are told apart, and what it expects to hear. One table; its facts are from
 * the providers' own pages, which docs/webhooks.md names.
 */
import type { HandshakeRule, Reply } from './handshake.ts';
import type { Scheme, SignatureScheme } from './scheme.ts';

export interface Provider {
  /** Any of them will do. None: anybody may send. */
  schemes: readonly Scheme[];
  /**
   * Where the id of a delivery stands, the first that is there: a header, or `.a.field` of the body. Without one, and as long
   * as the signature covers none, it is the digest of the body.
   */
  ids?: readonly string[];
  /** How long a delivery is known, h. Longer than the provider goes on sending it again. Default 24. */
  windowH?: number;
  /** Headers that are kept with the message. */
  keep?: readonly string[];
  handshakes?: readonly HandshakeRule[];
  reply?: Reply;
}

const DAYS = 24;

const standard = (family: string, rest: Partial<SignatureScheme>): SignatureScheme => ({
  signature: `${family}-signature`,
  separator: ' ',
  encoding: 'base64',
  key: 'base64',
  id: `${family}-id`,
  time: { header: `${family}-timestamp`, toleranceS: 300 },
  content: '{id}.{time}.{body}',
  ...rest,
});

/** https://github.com/standard-webhooks/standard-webhooks; a public key must not serve as a shared secret, so both are marked. */
const SHARED = { mark: 'v1,', keyPrefix: 'whsec_', keyBytes: [24, 64] } as const;
const PUBLIC = { mark: 'v1a,', keyPrefix: 'whpk_', algorithm: 'Ed25519' } as const;

export const PROVIDERS = {
  'standard-webhooks': {
    schemes: ['webhook', 'svix'].flatMap((family) => [standard(family, SHARED), standard(family, PUBLIC)]),
    windowH: 2 * DAYS,
    keep: ['webhook-id', 'svix-id'],
  },
  stripe: {
    schemes: [
      {
        signature: 'stripe-signature',
        separator: ',',
        mark: 'v1=',
        time: { item: 't=', toleranceS: 300 },
        content: '{time}.{body}',
      },
    ],
    ids: ['.id'],
    windowH: 3 * DAYS,
  },
  github: {
    schemes: [{ signature: 'x-hub-signature-256', mark: 'sha256=' }],
    ids: ['x-github-delivery'],
    windowH: 4, // it sends nothing again by itself; a redelivery by hand keeps its id, and is meant to arrive
    keep: ['x-github-event', 'x-github-delivery', 'x-github-hook-id'],
  },
  slack: {
    schemes: [
      {
        signature: 'x-slack-signature',
        mark: 'v0=',
        time: { header: 'x-slack-request-timestamp', toleranceS: 300 },
        content: 'v0:{time}:{body}',
      },
    ],
    ids: ['.event_id', '.trigger_id'],
    keep: ['x-slack-retry-num', 'x-slack-retry-reason'],
    handshakes: [{ when: { '.type': 'url_verification' }, echo: '.challenge', text: '{echo}' }],
  },
  shopify: {
    schemes: ['x-shopify-hmac-sha256', 'shopify-hmac-sha256'].map((signature) => ({ signature, encoding: 'base64' })),
    ids: ['x-shopify-webhook-id', 'shopify-webhook-id'],
    keep: ['x-shopify', 'shopify'].flatMap((family) =>
      ['topic', 'shop-domain', 'webhook-id', 'event-id'].map((name) => `${family}-${name}`),
    ),
  },
  twilio: {
    schemes: [{ signature: 'x-twilio-signature', algorithm: 'SHA-1', encoding: 'base64', content: 'twilio' }],
    ids: ['i-twilio-idempotency-token'],
    keep: ['i-twilio-idempotency-token'],
    reply: { status: 200, type: 'text/xml', body: '<Response></Response>' },
  },
  discord: {
    schemes: [
      {
        signature: 'x-signature-ed25519',
        algorithm: 'Ed25519',
        key: 'hex',
        time: { header: 'x-signature-timestamp', toleranceS: 300 },
        content: '{time}{body}',
      },
    ],
    ids: ['.id'],
    // Interactions ask with type 1; webhook events with type 0, and with type 1 they are events.
    handshakes: [
      { when: { '.type': 1, '.event': undefined }, json: { type: 1 } },
      { when: { '.type': 0, '.event': undefined }, status: 204 },
    ],
    reply: { status: 204 },
  },
  linear: {
    // It sends again for seven hours, and signs the instant of its first try: that long none may come by another name.
    schemes: [{ signature: 'linear-signature', time: { body: 'webhookTimestamp', unit: 'ms', toleranceS: 28_800 } }],
    ids: [], // its header with the id is not signed
    keep: ['linear-event', 'linear-delivery'],
  },
  gitlab: {
    schemes: [standard('webhook', SHARED)],
    keep: ['x-gitlab-event', 'x-gitlab-event-uuid', 'x-gitlab-instance', 'webhook-id'],
  },
  'gitlab-token': {
    schemes: [{ header: 'x-gitlab-token' }],
    ids: ['idempotency-key'], // not the event's UUID: webhooks that an event of a webhook sets off share it
    keep: ['x-gitlab-event', 'x-gitlab-event-uuid', 'x-gitlab-instance'],
  },
  paddle: {
    schemes: [
      {
        signature: 'paddle-signature',
        separator: ';',
        mark: 'h1=',
        time: { item: 'ts=', toleranceS: 60 },
        content: '{time}:{body}',
      },
    ],
    ids: ['.event_id'],
    windowH: 3 * DAYS,
  },
  square: {
    schemes: [{ signature: 'x-square-hmacsha256-signature', encoding: 'base64', content: '{url}{body}' }],
    ids: ['.event_id'],
    windowH: 3 * DAYS,
  },
  zoom: {
    schemes: [
      {
        signature: 'x-zm-signature',
        mark: 'v0=',
        time: { header: 'x-zm-request-timestamp', toleranceS: 300 },
        content: 'v0:{time}:{body}',
      },
    ],
    ids: ['x-zm-trackingid'],
    keep: ['x-zm-trackingid'],
    handshakes: [
      {
        when: { '.event': 'endpoint.url_validation' },
        echo: '.payload.plainToken',
        hmac: 'hex',
        json: { plainToken: '{echo}', encryptedToken: '{hmac}' },
      },
    ],
  },
  meta: {
    schemes: [{ signature: 'x-hub-signature-256', mark: 'sha256=' }],
    windowH: 7 * DAYS,
    handshakes: [
      {
        method: 'GET',
        when: { '?hub.mode': 'subscribe' },
        token: '?hub.verify_token',
        echo: '?hub.challenge',
        text: '{echo}',
      },
    ],
  },
  bearer: { schemes: [{ header: 'authorization', prefix: 'Bearer ' }] },
  basic: { schemes: [{ header: 'authorization', prefix: 'Basic ', base64: true }] },
  none: { schemes: [] },
} as const satisfies Record<string, Provider>;

export type ProviderName = keyof typeof PROVIDERS;
