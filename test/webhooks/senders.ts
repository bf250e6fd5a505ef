// Senders: each provider's way of signing, written from its documentation and not from our table, on node:crypto.
import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { sign as signForGithub } from '@octokit/webhooks-methods';
import { Webhook as StandardWebhook } from 'standardwebhooks';
import Stripe from 'stripe';
import { Webhook as SvixWebhook } from 'svix';

export interface Sent {
  headers: Record<string, string>;
  body: string;
  /** With `?`. */
  search?: string;
}

export interface Sender {
  secret: string;
  url?: string;
  /** A delivery as the provider sends it. `n` tells deliveries apart. */
  sign(n: number, nowS: number): Sent | Promise<Sent>;
}

const hmac = (hash: string, key: string, content: string, encoding: 'hex' | 'base64' = 'hex') =>
  createHmac(hash, key).update(content).digest(encoding);

const json = (fields: object) => JSON.stringify(fields);
const WHSEC = `whsec_${Buffer.from('a secret of thirty-two bytes, so').toString('base64')}`;
const ed25519 = generateKeyPairSync('ed25519');
const ED25519_PUBLIC = ed25519.publicKey.export({ type: 'spki', format: 'der' }).subarray(-32);
const edSign = (content: string, encoding: 'hex' | 'base64') =>
  sign(null, Buffer.from(content), ed25519.privateKey).toString(encoding);

const JSON_TYPE = { 'content-type': 'application/json' };
const FORM_TYPE = { 'content-type': 'application/x-www-form-urlencoded' };

const standard = (family: 'webhook' | 'svix', n: number, nowS: number): Sent => {
  const body = json({ type: 'invoice.paid', n });
  const at = new Date(nowS * 1_000);
  const id = `msg_${n}`;
  const signature = new (family === 'svix' ? SvixWebhook : StandardWebhook)(WHSEC).sign(id, at, body);
  const headers = { [`${family}-id`]: id, [`${family}-timestamp`]: String(nowS), [`${family}-signature`]: signature };
  return { headers: { ...JSON_TYPE, ...headers }, body };
};

export function signAsDiscord(interaction: object, nowS: number): Sent {
  const body = json(interaction);
  const headers = { 'x-signature-ed25519': edSign(nowS + body, 'hex'), 'x-signature-timestamp': String(nowS) };
  return { headers: { ...JSON_TYPE, ...headers }, body };
}

/** By the provider's name in our table, where it has one. */
export const SENDERS = {
  'standard-webhooks': { secret: WHSEC, sign: (n, nowS) => standard('webhook', n, nowS) },
  svix: { secret: WHSEC, sign: (n, nowS) => standard('svix', n, nowS) },
  'standard-webhooks-ed25519': {
    secret: `whpk_${ED25519_PUBLIC.toString('base64')}`,
    sign(n, nowS) {
      const body = json({ n });
      const signature = `v1a,${edSign(`msg_${n}.${nowS}.${body}`, 'base64')}`;
      const headers = { 'webhook-id': `msg_${n}`, 'webhook-timestamp': String(nowS), 'webhook-signature': signature };
      return { headers: { ...JSON_TYPE, ...headers }, body };
    },
  },
  stripe: {
    secret: 'whsec_stripe-is-not-decoded',
    sign(n, nowS) {
      const body = json({ id: `evt_${n}`, object: 'event', type: 'charge.succeeded' });
      const options = { payload: body, secret: 'whsec_stripe-is-not-decoded', timestamp: nowS };
      const header = new Stripe('sk_test_x').webhooks.generateTestHeaderString(options);
      return { headers: { ...JSON_TYPE, 'stripe-signature': header }, body };
    },
  },
  github: {
    secret: "It's a Secret to Everybody",
    async sign(n) {
      const body = json({ action: 'opened', number: n });
      const signature = await signForGithub("It's a Secret to Everybody", body);
      const headers = {
        'x-hub-signature-256': signature,
        'x-github-delivery': `delivery-${n}`,
        'x-github-event': 'issues',
      };
      return { headers: { ...JSON_TYPE, ...headers }, body };
    },
  },
  slack: {
    secret: 'slack-signing-secret',
    sign(n, nowS) {
      const body = json({ type: 'event_callback', event_id: `Ev${n}` });
      const signature = `v0=${hmac('sha256', 'slack-signing-secret', `v0:${nowS}:${body}`)}`;
      return {
        headers: { ...JSON_TYPE, 'x-slack-signature': signature, 'x-slack-request-timestamp': String(nowS) },
        body,
      };
    },
  },
  shopify: {
    secret: 'shopify-client-secret',
    sign(n) {
      const body = json({ id: n });
      const signature = hmac('sha256', 'shopify-client-secret', body, 'base64');
      return { headers: { ...JSON_TYPE, 'x-shopify-hmac-sha256': signature, 'x-shopify-webhook-id': `w-${n}` }, body };
    },
  },
  twilio: {
    secret: 'twilio-auth-token',
    url: 'https://hooks.example.com/hooks/twilio',
    sign(n) {
      const body = `MessageSid=SM${n}&From=%2B14158675309&Body=hello`;
      const content = `https://hooks.example.com/hooks/twilioBodyhelloFrom+14158675309MessageSidSM${n}`;
      const signature = hmac('sha1', 'twilio-auth-token', content, 'base64');
      return {
        headers: { ...FORM_TYPE, 'x-twilio-signature': signature, 'i-twilio-idempotency-token': `t-${n}` },
        body,
      };
    },
  },
  discord: {
    secret: ED25519_PUBLIC.toString('hex'),
    sign: (n, nowS) => signAsDiscord({ id: `${n}`, type: 2, data: { name: 'ping' } }, nowS),
  },
  linear: {
    secret: 'linear-secret',
    sign(n, nowS) {
      const body = json({ action: 'create', n, webhookTimestamp: nowS * 1_000 });
      const signature = hmac('sha256', 'linear-secret', body);
      return { headers: { ...JSON_TYPE, 'linear-signature': signature, 'linear-delivery': `d-${n}` }, body };
    },
  },
  gitlab: { secret: WHSEC, sign: (n, nowS) => standard('webhook', n, nowS) },
  'gitlab-token': {
    secret: 'gitlab-legacy-token',
    sign: (n) => ({
      headers: { ...JSON_TYPE, 'x-gitlab-token': 'gitlab-legacy-token', 'idempotency-key': `g-${n}` },
      body: json({ object_kind: 'push', n }),
    }),
  },
  paddle: {
    secret: 'pdl_ntfset_secret',
    sign(n, nowS) {
      const body = json({ event_id: `evt_${n}` });
      const header = `ts=${nowS};h1=${hmac('sha256', 'pdl_ntfset_secret', `${nowS}:${body}`)}`;
      return { headers: { ...JSON_TYPE, 'paddle-signature': header }, body };
    },
  },
  square: {
    secret: 'square-signature-key',
    url: 'https://hooks.example.com/hooks/square',
    sign(n) {
      const body = json({ event_id: `sq-${n}` });
      const content = `https://hooks.example.com/hooks/square${body}`;
      return {
        headers: {
          ...JSON_TYPE,
          'x-square-hmacsha256-signature': hmac('sha256', 'square-signature-key', content, 'base64'),
        },
        body,
      };
    },
  },
  zoom: {
    secret: 'zoom-secret-token',
    sign(n, nowS) {
      const body = json({ event: 'meeting.started', event_ts: n, payload: {} });
      const signature = `v0=${hmac('sha256', 'zoom-secret-token', `v0:${nowS}:${body}`)}`;
      return { headers: { ...JSON_TYPE, 'x-zm-signature': signature, 'x-zm-request-timestamp': String(nowS) }, body };
    },
  },
  meta: {
    secret: 'meta-app-secret',
    sign(n) {
      const body = `{"object":"page","entry":[{"id":"${n}","name":"\\u00e4\\u00f6"}]}`;
      return {
        headers: { ...JSON_TYPE, 'x-hub-signature-256': `sha256=${hmac('sha256', 'meta-app-secret', body)}` },
        body,
      };
    },
  },
  bearer: {
    secret: 'bearer-token',
    sign: (n) => ({ headers: { ...JSON_TYPE, authorization: 'Bearer bearer-token' }, body: json({ n }) }),
  },
  basic: {
    secret: 'user:pässword',
    sign: (n) => ({
      headers: { ...JSON_TYPE, authorization: `Basic ${Buffer.from('user:pässword').toString('base64')}` },
      body: json({ n }),
    }),
  },
} satisfies Record<string, Sender> as Record<string, Sender>;

/** Which provider of our table a sender is. */
export const providerOf = (sender: string): string =>
  sender === 'svix' || sender === 'standard-webhooks-ed25519' ? 'standard-webhooks' : sender;
