/**
 * Providers: what each signs, how its deliveries are told apart, and what it expects to hear. Its facts are from the providers'
 * own pages, which docs/webhooks.md names.
 *
 * Each is imported by its name, and all are plain data or calls that a bundler knows to be pure: those that no source has are
 * not in a Worker.
 */
import type { HandshakeRule, Reply } from './handshake.ts';
import type { Scheme, SignatureScheme } from './scheme.ts';
import { twilioContents } from './twilio.ts';

export interface Provider {
  /** As reports say it. */
  name: string;
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
  forwardHeaders?: readonly string[];
  handshakes?: readonly HandshakeRule[];
  reply?: Reply;
}

/* @__NO_SIDE_EFFECTS__ */
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

export const standardWebhooks: Provider = {
  name: 'standard-webhooks',
  schemes: [
    standard('webhook', SHARED),
    standard('webhook', PUBLIC),
    standard('svix', SHARED),
    standard('svix', PUBLIC),
  ],
  windowH: 2 * 24,
  forwardHeaders: ['webhook-id', 'svix-id'],
};

export const stripe: Provider = {
  name: 'stripe',
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
  windowH: 3 * 24,
};

export const github: Provider = {
  name: 'github',
  schemes: [{ signature: 'x-hub-signature-256', mark: 'sha256=' }],
  ids: ['x-github-delivery'],
  windowH: 4, // it sends nothing again by itself; a redelivery by hand keeps its id, and is meant to arrive
  forwardHeaders: ['x-github-event', 'x-github-delivery', 'x-github-hook-id'],
};

export const slack: Provider = {
  name: 'slack',
  schemes: [
    {
      signature: 'x-slack-signature',
      mark: 'v0=',
      time: { header: 'x-slack-request-timestamp', toleranceS: 300 },
      content: 'v0:{time}:{body}',
    },
  ],
  ids: ['.event_id', '.trigger_id'],
  forwardHeaders: ['x-slack-retry-num', 'x-slack-retry-reason'],
  handshakes: [{ when: { '.type': 'url_verification' }, echo: '.challenge', text: '{echo}' }],
};

export const shopify: Provider = {
  name: 'shopify',
  schemes: [
    { signature: 'x-shopify-hmac-sha256', encoding: 'base64' },
    { signature: 'shopify-hmac-sha256', encoding: 'base64' },
  ],
  ids: ['x-shopify-webhook-id', 'shopify-webhook-id'],
  forwardHeaders: [
    'x-shopify-topic',
    'x-shopify-shop-domain',
    'x-shopify-webhook-id',
    'x-shopify-event-id',
    'shopify-topic',
    'shopify-shop-domain',
    'shopify-webhook-id',
    'shopify-event-id',
  ],
};

export const twilio: Provider = {
  name: 'twilio',
  schemes: [{ signature: 'x-twilio-signature', algorithm: 'SHA-1', encoding: 'base64', content: twilioContents }],
  ids: ['i-twilio-idempotency-token'],
  forwardHeaders: ['i-twilio-idempotency-token'],
  reply: { status: 200, type: 'text/xml', body: '<Response></Response>' },
};

export const discord: Provider = {
  name: 'discord',
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
};

export const linear: Provider = {
  name: 'linear',
  // It sends again for seven hours, and signs the instant of its first try: that long none may come by another name.
  schemes: [{ signature: 'linear-signature', time: { body: 'webhookTimestamp', unit: 'ms', toleranceS: 28_800 } }],
  ids: [], // its header with the id is not signed
  forwardHeaders: ['linear-event', 'linear-delivery'],
};

export const gitlab: Provider = {
  name: 'gitlab',
  schemes: [standard('webhook', SHARED)],
  forwardHeaders: ['x-gitlab-event', 'x-gitlab-event-uuid', 'x-gitlab-instance', 'webhook-id'],
};

export const gitlabToken: Provider = {
  name: 'gitlab-token',
  schemes: [{ header: 'x-gitlab-token' }],
  ids: ['idempotency-key'], // not the event's UUID: webhooks that an event of a webhook sets off share it
  forwardHeaders: ['x-gitlab-event', 'x-gitlab-event-uuid', 'x-gitlab-instance'],
};

export const paddle: Provider = {
  name: 'paddle',
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
  windowH: 3 * 24,
};

export const square: Provider = {
  name: 'square',
  schemes: [{ signature: 'x-square-hmacsha256-signature', encoding: 'base64', content: '{url}{body}' }],
  ids: ['.event_id'],
  windowH: 3 * 24,
};

export const zoom: Provider = {
  name: 'zoom',
  schemes: [
    {
      signature: 'x-zm-signature',
      mark: 'v0=',
      time: { header: 'x-zm-request-timestamp', toleranceS: 300 },
      content: 'v0:{time}:{body}',
    },
  ],
  ids: ['x-zm-trackingid'],
  forwardHeaders: ['x-zm-trackingid'],
  handshakes: [
    {
      when: { '.event': 'endpoint.url_validation' },
      echo: '.payload.plainToken',
      hmac: 'hex',
      json: { plainToken: '{echo}', encryptedToken: '{hmac}' },
    },
  ],
};

export const meta: Provider = {
  name: 'meta',
  schemes: [{ signature: 'x-hub-signature-256', mark: 'sha256=' }],
  windowH: 7 * 24,
  handshakes: [
    {
      method: 'GET',
      when: { '?hub.mode': 'subscribe' },
      token: '?hub.verify_token',
      echo: '?hub.challenge',
      text: '{echo}',
    },
  ],
};

export const bearer: Provider = { name: 'bearer', schemes: [{ header: 'authorization', prefix: 'Bearer ' }] };

export const basic: Provider = {
  name: 'basic',
  schemes: [{ header: 'authorization', prefix: 'Basic ', base64: true }],
};

export const none: Provider = { name: 'none', schemes: [] };
