/** Settings: read once from the Worker's bindings, checked, frozen. Types, defaults and docs/configuration come from this schema. */
import * as z from 'zod';
import { BadSettings } from './errors.ts';

/** What a bearer token may do. */
const SCOPES = ['enqueue', 'receive', 'operate'] as const;
export type Scope = (typeof SCOPES)[number];

const Token = z.strictObject({
  /** For logs, and to tell rotating tokens apart. */
  name: z.string().regex(/^[A-Za-z0-9_.-]{1,64}$/),
  /** SHA-256 of the token, in hex: the token itself is never configured. */
  sha256: z
    .string()
    .regex(/^[0-9a-fA-F]{64}$/)
    .transform((hex) => hex.toLowerCase()),
  scopes: z.array(z.enum(SCOPES)).min(1),
  /** Queues it may touch: names, or beginnings of names with `*` behind them. */
  queues: z
    .array(z.string().regex(/^[A-Za-z0-9_.-]{0,64}\*?$/))
    .min(1)
    .default(['*']),
});
export type Token = z.infer<typeof Token>;

const Tokens = z
  .string()
  .transform((text, context) => {
    try {
      return JSON.parse(text) as unknown;
    } catch {
      context.issues.push({ code: 'custom', message: 'must be a JSON array', input: text });
      return z.NEVER;
    }
  })
  .pipe(z.array(Token));

const whole = (least: number, most: number) => z.coerce.number().int().min(least).max(most);

const Settings = z.object({
  UPSTASH_REDIS_REST_URL: z.url({ protocol: /^https?$/ }),
  UPSTASH_REDIS_REST_TOKEN: z.string().min(1),
  /** JSON: `[{"name", "sha256", "scopes", "queues"?}]`. Without it the API is closed. */
  SLUICE_TOKENS: Tokens.default([]),
  /** What the keys in Redis begin with. */
  SLUICE_PREFIX: z
    .string()
    .regex(/^[A-Za-z0-9_.-]{1,64}$/)
    .default('sluice'),
  /** One Redis request takes no longer, ms. */
  SLUICE_REDIS_TIMEOUT_MS: whole(100, 60_000).default(3_000),
  /** How long a crashed drain's messages stay away, ms. */
  SLUICE_LEASE_MS: whole(1_000, 43_200_000).default(30_000),
  /** Wall time of a drain started by cron, ms. */
  SLUICE_DRAIN_MS: whole(1_000, 840_000).default(55_000),
  /** Subrequests of one drain. Workers Free allows 50 in an invocation. */
  SLUICE_DRAIN_REQUESTS: whole(15, 9_000).default(45),
  /** Messages of one drain. */
  SLUICE_DRAIN_MESSAGES: whole(1, 10_000_000).default(1_000_000),
  /** Handlers at once. Of six connections one is kept for storage. */
  SLUICE_CONCURRENCY: whole(1, 1_000).default(5),
  /** Messages that one exchange takes at most. */
  SLUICE_BATCH: whole(1, 500).default(100),
});

export type Config = Readonly<z.infer<typeof Settings>>;

/** @throws BadSettings that names each of them */
export function readConfig(env: unknown): Config {
  const read = Settings.safeParse(env);
  if (read.success) return Object.freeze(read.data);
  const faults = read.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  throw new BadSettings(faults.join('; '));
}
