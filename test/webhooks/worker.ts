// A Worker with a source of each kind, on pull queues: what comes in can be received, and no drain is woken.
import * as z from 'zod/mini';
import { api } from '../../src/http/functions.ts';
import { createSluice, defineQueue, defineSource } from '../../src/index.ts';
import * as providers from '../../src/webhooks/providers.ts';

const events = defineQueue('events', { kind: 'pull' });
const strict = defineQueue('strict', { kind: 'pull', schema: z.object({ n: z.number() }) });
/** Says that its keys go when a message is done: a source's do not. */
const forgetful = defineQueue('forgetful', { kind: 'pull', dedup: { release: true, mode: 'replace' } });
const handled = defineQueue('handled', {
  schema: z.object({ n: z.number() }),
  subrequests: 0,
  handler: ({ raw }) => console.log(`handled ${JSON.stringify(raw)}`),
});
const elsewhere = defineQueue('elsewhere', { kind: 'pull' });

const simple = (name: string, provider: providers.Provider, secret: string) =>
  defineSource(name, {
    provider,
    secret,
    route: events,
    url: `https://hooks.example.com/hooks/${name}`,
    verifyToken: 'META_TOKEN',
  });

export const NAMES = {
  'standard-webhooks': providers.standardWebhooks,
  svix: providers.standardWebhooks,
  'standard-webhooks-ed25519': providers.standardWebhooks,
  stripe: providers.stripe,
  github: providers.github,
  slack: providers.slack,
  shopify: providers.shopify,
  twilio: providers.twilio,
  discord: providers.discord,
  linear: providers.linear,
  gitlab: providers.gitlab,
  'gitlab-token': providers.gitlabToken,
  paddle: providers.paddle,
  square: providers.square,
  zoom: providers.zoom,
  meta: providers.meta,
  bearer: providers.bearer,
  basic: providers.basic,
} satisfies Record<string, providers.Provider>;

/** The binding of a source's secret. */
export const bindingOf = (name: string) => `SECRET_${name.toUpperCase().replaceAll('-', '_')}`;

/** Secrets that their schemes cannot use. */
export const UNUSABLE = {
  'one-byte': { provider: providers.standardWebhooks, secret: 'whsec_QQ==' },
  'too-long': { provider: providers.gitlab, secret: `whsec_${btoa('x'.repeat(65))}` },
  'no-prefix': { provider: providers.standardWebhooks, secret: btoa('a secret of thirty-two bytes, so') },
  'short-public-key': { provider: providers.discord, secret: 'ab'.repeat(31) },
  'no-hex': { provider: providers.discord, secret: 'Z'.repeat(64) },
  'no-password': { provider: providers.basic, secret: 'user' },
  'one-of-two': { provider: providers.gitlab, secret: `whsec_${btoa('a secret of thirty-two bytes, so')},whsec_QQ==` },
} satisfies Record<string, { provider: providers.Provider; secret: string }>;

const sources = [
  ...Object.entries(NAMES).map(([name, provider]) => simple(name, provider, bindingOf(name))),
  simple('unset', providers.github, 'NOBODY_SETS_THIS'),
  ...Object.entries(UNUSABLE).map(([name, { provider }]) => simple(name, provider, bindingOf(name))),
  defineSource('nowhere', {
    provider: providers.square,
    secret: 'SECRET_ACME',
    url: 'NOBODY_SETS_THIS',
    route: events,
  }),
  defineSource('open', { provider: providers.none, route: events, headers: ['X-Kept'], maxBytes: 100_000 }),
  defineSource('strict', { provider: providers.none, route: strict }),
  defineSource('handled', { provider: providers.none, route: handled }),
  defineSource('forgetful', { provider: providers.none, route: forgetful, dedup: { ids: ['x-id'], window: '1h' } }),
  defineSource<{ to: string[] }>('routed', {
    provider: providers.none,
    route: ({ payload: { to } }) =>
      to.map((name) => {
        if (name === 'throw') throw new Error('the payload must not be logged');
        if (name === 'wrong') return { queue: events, priority: 12 };
        return name === 'elsewhere' ? { queue: elsewhere } : { queue: events, priority: 1, group: name, delay: '1h' };
      }),
    reply: { status: 202, type: 'application/json', body: '{"thanks":true}' },
  }),
  defineSource('every', { provider: providers.none, route: events, dedup: { window: 0 } }),
  defineSource('patient', { provider: providers.slack, secret: bindingOf('slack'), route: events, tolerance: '2h' }),
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
