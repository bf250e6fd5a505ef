/** Settings: read once from the Worker's bindings, checked, frozen. Types, defaults and docs/configuration come from this table. */
import { type HostRule, readHosts } from '../formats/address.ts';
import { isWorkers } from '../runtime/runtime.ts';
import { isHttpUrl, isText, must, readEach } from './setting.ts';
import { hasShardList, onlyShard, readShardList, type ShardList } from './shards.ts';
import { readPlainToken, readTokens } from './tokens.ts';

export type { Scope, Token } from './tokens.ts';

/** Reads a binding, which is undefined where it is not set. @throws BadSettings */
type Reader<Value> = (given: unknown, name: string, env: Record<string, unknown>) => Value;

const whole =
  (least: number, most: number, standard: number): Reader<number> =>
  (given = standard, name) => {
    const number = typeof given === 'string' ? Number(given) : given;
    must(Number.isInteger(number), name, 'a whole number');
    must(least <= (number as number) && (number as number) <= most, name, `from ${least} to ${most}`);
    return number as number;
  };

/** Nobody but Workers counts them: there, so that it does on the free plan. */
const subrequests: Reader<number> = (...given) => whole(15, 10_000_000, isWorkers() ? 45 : 9_000)(...given);

/** Workers have six, of which one is storage's; nobody else counts them. */
const connections: Reader<number> = (...given) => whole(1, 1_000, isWorkers() ? 5 : 1_000)(...given);

const text =
  (pattern: RegExp, rule: string, standard?: string): Reader<string> =>
  (given = standard, name) => {
    must(isText(pattern)(given), name, rule);
    return given as string;
  };

const yesOrNo =
  (standard: 'true' | 'false'): Reader<boolean> =>
  (given = standard, name) => {
    must(given === 'true' || given === 'false', name, '"true" or "false"');
    return given === 'true';
  };

const url: Reader<string> = (given, name) => {
  must(isHttpUrl(given), name, 'an http or https URL');
  return given as string;
};

/** Whoever it is sent to gets the token that starts drains: so openly to this machine only. */
const ownUrl: Reader<string> = (given, name) => {
  const { protocol, hostname, search, hash, username, password } = new URL(url(given, name, {}));
  const isSafe = protocol === 'https:' || /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
  must(isSafe && search + hash + username + password === '', name, 'an https URL, with nothing behind its path');
  return (given as string).replace(/\/+$/, '');
};

const orNone =
  <Value>(read: Reader<Value>): Reader<Value | undefined> =>
  (given, name, env) =>
    given === undefined ? undefined : read(given, name, env);

const hosts: Reader<readonly HostRule[]> = (given = '', name) => {
  const read = typeof given === 'string' ? readHosts(given) : undefined;
  must(read !== undefined, name, 'hosts such as api.example.com or *.example.com:8443');
  return read;
};

const databaseToken = text(/^[!-~]+$/, 'the token of the database, none of it a blank');
const prefix = text(/^[\w.-]{1,64}$/, '1 to 64 of A-Z, a-z, 0-9, ".", "_" and "-"', 'sluice');

const shards: Reader<ShardList> = (_given, _name, env) => {
  const { UPSTASH_REDIS_REST_URL: address, UPSTASH_REDIS_REST_TOKEN: token } = env;
  const readUrl = () => url(address, 'UPSTASH_REDIS_REST_URL', env);
  const keys = prefix(env.SLUICE_PREFIX, 'SLUICE_PREFIX', env);
  if (hasShardList(env)) return readShardList(env, keys, address ? readUrl() : undefined);
  return onlyShard(env, {
    url: readUrl(),
    token: databaseToken(token, 'UPSTASH_REDIS_REST_TOKEN', env),
    prefix: keys,
  });
};

const SETTINGS = {
  /** Of the first shard, where SLUICE_SHARDS lists them: so neither has to be set then. */
  UPSTASH_REDIS_REST_URL: url,
  UPSTASH_REDIS_REST_TOKEN: databaseToken,
  /**
   * JSON: `[{"name", "url", "secret", "weight"?, "state"?}]`, which SLUICE_SHARDS_2 and so on continue, or `{"url", "secret", "tags"}`.
   * Without it there is one shard: the database of the two above.
   */
  SLUICE_SHARDS: shards,
  /** One token as its caller has it, with every scope: http/tokens.ts makes its digest. */
  SLUICE_TOKEN: readPlainToken(32),
  /** The token of a cron, such as Vercel's, which sends it with each GET: it may only tick. An empty one is none. */
  CRON_SECRET: (given: unknown, name: string) => readPlainToken(16)(given === '' ? undefined : given, name),
  /** JSON: `[{"name", "sha256", "scopes", "queues"?}]`, and those of `SLUICE_TOKEN_<NAME>`. Without any the API is closed. */
  SLUICE_TOKENS: (given: unknown, _name: string, env: Record<string, unknown>) => readTokens(given, env),
  /** What the keys in Redis begin with. */
  SLUICE_PREFIX: prefix,
  /** One Redis request takes no longer, ms. */
  SLUICE_REDIS_TIMEOUT_MS: whole(100, 60_000, 3_000),
  /** How long a crashed drain's messages stay away, ms. */
  SLUICE_LEASE_MS: whole(1_000, 43_200_000, 30_000),
  /** Wall time of a drain started by cron, ms. */
  SLUICE_DRAIN_MS: whole(1_000, 840_000, 55_000),
  /** A drain behind the answer of a request has ended after so long, ms: Workers end what goes on 30 s after the answer. */
  SLUICE_WOKEN_MS: whole(1_000, 840_000, 28_000),
  /** Subrequests of one invocation. Workers Free allows 50, Workers Paid 10,000 and as many as `limits.subrequests` says. */
  SLUICE_DRAIN_REQUESTS: subrequests,
  /** Messages of the drains of one invocation. */
  SLUICE_DRAIN_MESSAGES: whole(1, 10_000_000, 1_000_000),
  /** Handlers at once, those that make no subrequests included. */
  SLUICE_CONCURRENCY: whole(1, 1_000, 5),
  /** Of a drain, for its handlers: they start only where their subrequests find one. */
  SLUICE_CONNECTIONS: connections,
  /** The most drains that a backlog has at once: Durable Objects where the binding DRAINER is there, else those begun by SLUICE_URL. */
  SLUICE_DRAINERS: whole(1, 32, 2),
  /** Where the API of this deployment is, its base path included: drains start others there. */
  SLUICE_URL: orNone(ownUrl),
  /** An idle drain looks again at this interval, ms, until its time is over. 0: it ends, and new work wakes another. */
  SLUICE_POLL_MS: whole(0, 60_000, 0),
  /** Messages that one sync takes at most. It takes 100 until a backlog stands and handlers keep up. */
  SLUICE_BATCH: whole(1, 500, 500),
  /** Leases of one drain at most: so many syncs of it may be in flight. */
  SLUICE_LEASES: whole(1, 8, 6),
  /** Dead letters that each queue keeps: of more, the oldest go, and are counted. */
  SLUICE_DEAD_LETTERS: whole(1_000, 10_000_000, 100_000),
  /** Commands of the database's plan in a month, for the warning at 80 %. 0: they are not watched. */
  SLUICE_MONTHLY_COMMANDS: whole(0, 1_000_000_000_000, 0),
  /** Days that a dead letter is kept. */
  SLUICE_DEAD_DAYS: whole(1, 3_650, 30),
  /** Where deliveries may go: hosts, or `*.` and what is above them, with a port where it is not 443. None: any public name. */
  SLUICE_DESTINATION_HOSTS: hosts,
  /** `true`: deliveries may go to http and private addresses. For this machine only. */
  SLUICE_DESTINATION_LOCAL: yesOrNo('false'),
  /** Whether the first frames of a handler's error are kept with its message. */
  SLUICE_FAILURE_STACKS: yesOrNo('true'),
  /** `true`: what handlers throw is printed in the log, text and stack, whatever it holds. For this machine only. */
  SLUICE_LOG_ERRORS: yesOrNo('false'),
  /** Where traces go, over OTLP/HTTP as JSON: `/v1/traces` is added. Without it there are none. */
  SLUICE_OTLP_ENDPOINT: orNone(url),
  /** `name=value,…`, percent-encoded: for an endpoint that wants a key. */
  SLUICE_OTLP_HEADERS: text(/^/, 'text', ''),
};

export type Config = Readonly<{ [Name in keyof typeof SETTINGS]: ReturnType<(typeof SETTINGS)[Name]> }>;

/**
 * The database may be named as Vercel names it: KV_REST_API_URL and KV_REST_API_TOKEN. Both are of one naming: where only a part of
 * the first is there, a token of another database would not do.
 */
function databaseIn(env: Record<string, unknown>): object {
  const { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token, KV_REST_API_URL, KV_REST_API_TOKEN } = env;
  if (url || token || !(KV_REST_API_URL && KV_REST_API_TOKEN)) return {};
  return { UPSTASH_REDIS_REST_URL: KV_REST_API_URL, UPSTASH_REDIS_REST_TOKEN: KV_REST_API_TOKEN };
}

/** The settings that are those of the first shard. */
const OF_THE_FIRST = ['UPSTASH_REDIS_REST_URL', 'UPSTASH_REDIS_REST_TOKEN'];

/** @throws BadSettings that names each of them */
export function readConfig(env: unknown): Config {
  const bindings = env as Record<string, unknown>;
  const given: Record<string, unknown> = { ...bindings, ...databaseIn(bindings) };
  const asked = Object.entries(SETTINGS).filter(([name]) => !(hasShardList(given) && OF_THE_FIRST.includes(name)));
  const read = Object.fromEntries(readEach(asked, ([name, read]) => [name, read(given[name], name, given)] as const));
  const [{ url, token }] = (read as Config).SLUICE_SHARDS;
  return Object.freeze({ ...read, UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token }) as Config;
}
