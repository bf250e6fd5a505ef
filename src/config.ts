/** Settings: read once from the Worker's bindings, checked, frozen. Types, defaults and docs/configuration come from this schema. */

import * as z from 'zod/mini'; // a third of zod's size in the bundle
import en from 'zod/v4/locales/en.js';
import { type HostRule, readHosts } from './destinations/address.ts';
import { BadSettings } from './errors.ts';

z.config(en()); // the small form has no messages of its own

/** What a bearer token may do. */
const SCOPES = ['enqueue', 'receive', 'operate'] as const;
export type Scope = (typeof SCOPES)[number];

const Token = z.strictObject({
  /** For logs, and to tell rotating tokens apart. */
  name: z.string().check(z.regex(/^[A-Za-z0-9_.-]{1,64}$/)),
  /** SHA-256 of the token, in hex: the token itself is never configured. */
  sha256: z.string().check(z.regex(/^[0-9a-fA-F]{64}$/), z.toLowerCase()),
  scopes: z.array(z.enum(SCOPES)).check(z.minLength(1)),
  /** Queues it may touch: names, or beginnings of names with `*` behind them. */
  queues: z._default(z.array(z.string().check(z.regex(/^[A-Za-z0-9_.-]{0,64}\*?$/))).check(z.minLength(1)), ['*']),
});
export type Token = z.infer<typeof Token>;

const Tokens = z.pipe(
  z.pipe(
    z.string(),
    z.transform((text, context) => {
      try {
        return JSON.parse(text) as unknown;
      } catch {
        context.issues.push({ code: 'custom', message: 'must be a JSON array', input: text });
        return z.NEVER;
      }
    }),
  ),
  z.array(Token),
);

const whole = (least: number, most: number, standard: number) =>
  z._default(z.coerce.number().check(z.int(), z.minimum(least), z.maximum(most)), standard);

const yesOrNo = (standard: 'true' | 'false') =>
  z.pipe(
    z._default(z.enum(['true', 'false']), standard),
    z.transform((value) => value === 'true'),
  );

const Hosts = z.pipe(
  z.string(),
  z.transform((text, context): HostRule[] => {
    const hosts = readHosts(text);
    if (hosts) return hosts;
    context.issues.push({
      code: 'custom',
      message: 'must be hosts such as api.example.com or *.example.com:8443',
      input: text,
    });
    return z.NEVER;
  }),
);

const Settings = z.object({
  UPSTASH_REDIS_REST_URL: z.url({ protocol: /^https?$/ }),
  UPSTASH_REDIS_REST_TOKEN: z.string().check(z.minLength(1)),
  /** JSON: `[{"name", "sha256", "scopes", "queues"?}]`. Without it the API is closed. */
  SLUICE_TOKENS: z._default(Tokens, []),
  /** What the keys in Redis begin with. */
  SLUICE_PREFIX: z._default(z.string().check(z.regex(/^[A-Za-z0-9_.-]{1,64}$/)), 'sluice'),
  /** One Redis request takes no longer, ms. */
  SLUICE_REDIS_TIMEOUT_MS: whole(100, 60_000, 3_000),
  /** How long a crashed drain's messages stay away, ms. */
  SLUICE_LEASE_MS: whole(1_000, 43_200_000, 30_000),
  /** Wall time of a drain started by cron, ms. */
  SLUICE_DRAIN_MS: whole(1_000, 840_000, 55_000),
  /** Subrequests of one drain. Workers Free allows 50 in an invocation. */
  SLUICE_DRAIN_REQUESTS: whole(15, 9_000, 45),
  /** Messages of one drain. */
  SLUICE_DRAIN_MESSAGES: whole(1, 10_000_000, 1_000_000),
  /** Handlers at once. Of six connections one is kept for storage. */
  SLUICE_CONCURRENCY: whole(1, 1_000, 5),
  /** An idle drain looks again at this interval, ms, until its time is over. 0: it ends, and new work wakes another. */
  SLUICE_POLL_MS: whole(0, 60_000, 0),
  /** Messages that one exchange takes at most. */
  SLUICE_BATCH: whole(1, 500, 100),
  /** Dead letters that each queue keeps: of more, the oldest go, and are counted. */
  SLUICE_DEAD_LETTERS: whole(1_000, 10_000_000, 100_000),
  /** Days that a dead letter is kept. */
  SLUICE_DEAD_DAYS: whole(1, 3_650, 30),
  /** Where deliveries may go: hosts, or `*.` and what is above them, with a port where it is not 443. None: any public address. */
  SLUICE_DESTINATION_HOSTS: z._default(Hosts, []),
  /** `true`: deliveries may go to http and private addresses. For this machine only. */
  SLUICE_DESTINATION_LOCAL: yesOrNo('false'),
  /** Whether the first frames of a handler's error are kept with its message. */
  SLUICE_FAILURE_STACKS: yesOrNo('true'),
  /** `true`: what handlers throw is printed in the log, text and stack, whatever it holds. For this machine only. */
  SLUICE_LOG_ERRORS: yesOrNo('false'),
  /** Where traces go, over OTLP/HTTP as JSON: `/v1/traces` is added. Without it there are none. */
  SLUICE_OTLP_ENDPOINT: z.optional(z.url({ protocol: /^https?$/ })),
  /** `name=value,…`, percent-encoded: for an endpoint that wants a key. */
  SLUICE_OTLP_HEADERS: z._default(z.string(), ''),
});

export type Config = Readonly<z.infer<typeof Settings>>;

/**
 * The database may be named as Vercel names it: KV_REST_API_URL and KV_REST_API_TOKEN.
 * @throws BadSettings that names each of them
 */
export function readConfig(env: unknown): Config {
  const { KV_REST_API_URL: url, KV_REST_API_TOKEN: token } = env as Record<string, unknown>;
  const named = { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token };
  const read = Settings.safeParse({ ...named, ...(env as object) });
  if (read.success) return Object.freeze(read.data);
  const faults = read.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  throw new BadSettings(faults.join('; '));
}
