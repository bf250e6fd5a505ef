// A Worker with a source of each kind, on pulled queues: what comes in can be received, and no drain is woken.
import * as z from 'zod/mini';
import { api } from '../../src/http/functions.ts';
import { createSluice, defineQueue, defineSource } from '../../src/index.ts';
import type { ProviderName } from '../../src/webhooks/providers.ts';

const events = defineQueue('events', { kind: 'pull' });
const strict = defineQueue('strict', { kind: 'pull', schema: z.object({ n: z.number() }) });
/** Says that its keys go when a message is done: a source's do not. */
const forgetful = defineQueue('forgetful', { kind: 'pull', dedup: { release: true, mode: 'replace' } });
const handled = defineQueue('handled', {
  schema: z.object({ n: z.number() }),
  requests: 0,
  handler: ({ raw }) => console.log(`handled ${JSON.stringify(raw)}`),
});
const elsewhere = defineQueue('elsewhere', { kind: 'pull' });

const simple = (name: string, provider: ProviderName, secret: string) =>
  defineSource(name, {
    provider,
    secret,
    route: events,
    url: `https://hooks.example.com/hooks/${name}`,
    verifyToken: 'META_TOKEN',
  });

export const NAMES = {
  'standard-webhooks': 'standard-webhooks',
  svix: 'standard-webhooks',
  'standard-webhooks-ed25519': 'standard-webhooks',
  stripe: 'stripe',
  github: 'github',
  slack: 'slack',
  shopify: 'shopify',
  twilio: 'twilio',
  discord: 'discord',
  linear: 'linear',
  gitlab: 'gitlab',
  'gitlab-token': 'gitlab-token',
  paddle: 'paddle',
  square: 'square',
  zoom: 'zoom',
  meta: 'meta',
  bearer: 'bearer',
  basic: 'basic',
} as const satisfies Record<string, ProviderName>;

/** The binding of a source's secret. */
export const bindingOf = (name: string) => `SECRET_${name.toUpperCase().replaceAll('-', '_')}`;

/** Secrets that their schemes cannot use. */
export const UNUSABLE = {
  'one-byte': { provider: 'standard-webhooks', secret: 'whsec_QQ==' },
  'too-long': { provider: 'gitlab', secret: `whsec_${btoa('x'.repeat(65))}` },
  'no-prefix': { provider: 'standard-webhooks', secret: btoa('a secret of thirty-two bytes, so') },
  'short-public-key': { provider: 'discord', secret: 'ab'.repeat(31) },
  'no-hex': { provider: 'discord', secret: 'Z'.repeat(64) },
  'no-password': { provider: 'basic', secret: 'user' },
  'one-of-two': { provider: 'gitlab', secret: `whsec_${btoa('a secret of thirty-two bytes, so')},whsec_QQ==` },
} as const satisfies Record<string, { provider: ProviderName; secret: string }>;

const sources = [
  ...Object.entries(NAMES).map(([name, provider]) => simple(name, provider, bindingOf(name))),
  simple('unset', 'github', 'NOBODY_SETS_THIS'),
  ...Object.entries(UNUSABLE).map(([name, { provider }]) => simple(name, provider, bindingOf(name))),
  defineSource('nowhere', { provider: 'square', secret: 'SECRET_ACME', url: 'NOBODY_SETS_THIS', route: events }),
  defineSource('open', { provider: 'none', route: events, headers: ['X-Kept'], maxBytes: 100_000 }),
  defineSource('strict', { provider: 'none', route: strict }),
  defineSource('handled', { provider: 'none', route: handled }),
  defineSource('forgetful', { provider: 'none', route: forgetful, dedup: { ids: ['x-id'], window: '1h' } }),
  defineSource<{ to: string[] }>('routed', {
    provider: 'none',
    route: ({ payload: { to } }) =>
      to.map((name) => {
        if (name === 'throw') throw new Error('the payload must not be logged');
        if (name === 'wrong') return { queue: events, priority: 12 };
        return name === 'elsewhere' ? { queue: elsewhere } : { queue: events, priority: 1, group: name, delay: '1h' };
      }),
    reply: { status: 202, type: 'application/json', body: '{"thanks":true}' },
  }),
  defineSource('every', { provider: 'none', route: events, dedup: { window: 0 } }),
  defineSource('patient', { provider: 'slack', secret: bindingOf('slack'), route: events, tolerance: '2h' }),
  defineSource('own', {
    provider: ({ headers }) => (headers.get('x-pass') === 'yes' ? { id: headers.get('x-id') ?? '' } : false),
    route: events,
  }),
  defineSource('acme', {
    provider: { signature: 'x-acme', mark: 'v1=', algorithm: 'SHA-512', encoding: 'base64', content: '{url}|{body}' },
    secret: 'SECRET_ACME',
    url: 'ACME_URL',
    route: events,
    dedup: { ids: [] },
  }),
];

export default createSluice({
  queues: [events, strict, forgetful, handled],
  sources,
  functions: api,
});
