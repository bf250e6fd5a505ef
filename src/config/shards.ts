/** The shards of a deployment as settings hold them: a list of databases, or a number of hash tags behind one URL. */

import { isHttpUrl, isText, must, parseJson, readEach } from './setting.ts';
import { chooseTags } from './tags.ts';

/** `active` ones are given messages; one that is `joining` is visited, and given none until an operator says so. */
const STATES = ['active', 'joining'] as const;

export interface ShardSettings {
  /** What places are hashed with: it stays, whatever the URL becomes. */
  readonly name: string;
  readonly url: string;
  readonly token: string;
  /** What its keys begin with. */
  readonly prefix: string;
  /** Its part of what is placed, as measured by those of the others. */
  readonly weight: number;
  readonly state: (typeof STATES)[number];
}

/** At least one: the first has the tokens of a deployment's own. */
export type ShardList = readonly [ShardSettings, ...ShardSettings[]];

const LIST = 'SLUICE_SHARDS';
/** What the settings that go on with the list begin with: one variable of a Worker holds 5 KB. */
const MORE = `${LIST}_`;
/** The name of the shard of a deployment that has no list. */
const ONLY = 'main';
/** With so many placement has been measured. */
const MOST = 64;

const isToken = isText(/^[!-~]+$/);
const isWithin = (value: unknown, least: number, most: number) =>
  typeof value === 'number' && least <= value && value <= most;

type Rules = Record<string, [holds: (value: unknown) => boolean, rule: string]>;

/** Where a database is. */
const REACH: Rules = {
  url: [isHttpUrl, 'an http or https URL'],
  secret: [isText(/^[A-Za-z_]\w*$/), 'the name of the binding that has the token of the database'],
};
const SHARD: Rules = {
  name: [isText(/^[a-z0-9-]{1,32}$/), '1 to 32 of a-z, 0-9 and "-"'],
  ...REACH,
  weight: [(value) => isWithin(value, 0.01, 100), 'a number from 0.01 to 100'],
  state: [(value) => STATES.includes(value as ShardSettings['state']), STATES.join(' or ')],
};
const CLUSTER: Rules = {
  ...REACH,
  tags: [(value) => Number.isInteger(value) && isWithin(value, 1, MOST), `a whole number from 1 to ${MOST}`],
};

type Fields = { url: string; secret: string; name?: string; weight?: number; state?: ShardSettings['state'] };

/** An empty setting is none, as the form of a deploy button has it. */
export const hasShardList = (env: Record<string, unknown>): boolean => env[LIST] !== undefined && env[LIST] !== '';

/** The shard of a deployment that has no list. @throws BadSettings where a list is continued that is not there */
export function onlyShard(
  env: Record<string, unknown>,
  at: Pick<ShardSettings, 'url' | 'token' | 'prefix'>,
): ShardList {
  mustNotContinue(env, `left out where there is no ${LIST}`);
  return [{ name: ONLY, ...at, weight: 1, state: 'active' }];
}

/**
 * @param first the URL of the database that is set apart from the list, too, if one is: it was the only one before
 * @returns them in the order of the list, but for that one, which comes first
 * @throws BadSettings
 */
export function readShardList(env: Record<string, unknown>, prefix: string, first?: string): ShardList {
  const given = parseJson(env[LIST], LIST, 'JSON');
  const shards = Array.isArray(given) ? readEntries(given, env, prefix) : readCluster(given, env, prefix);
  if (first === undefined) return shards as unknown as ShardList;
  const old = shards.find((shard) => isSame(shard, { url: first, prefix }));
  // One that is out of the list would be left with whatever it holds.
  must(
    old !== undefined,
    LIST,
    'a list with the database of UPSTASH_REDIS_REST_URL (or KV_REST_API_URL), or without that beside it',
  );
  return [old, ...shards.filter((shard) => shard !== old)];
}

function readEntries(list: unknown[], env: Record<string, unknown>, prefix: string): ShardSettings[] {
  const settings = [LIST, ...continuations(env)];
  const entries = settings.flatMap((setting) => {
    const part = setting === LIST ? list : parseJson(env[setting], setting, 'a JSON array');
    must(Array.isArray(part), setting, 'a JSON array');
    return part.map((entry: unknown, index) => ({ entry, at: `${setting}.${index}` }));
  });
  must(0 < entries.length && entries.length <= MOST, LIST, `a list of 1 to ${MOST} shards`);
  const shards = readEach(entries, ({ entry, at }) => readShard(entry, at, env, prefix));
  readEach(entries, ({ at }, index) => checkUnique(shards, index, at));
  const isActive = shards.some(({ state }) => state === 'active');
  must(isActive, LIST, 'a list with an active shard');
  return shards;
}

function mustNotContinue(env: Record<string, unknown>, rule: string): void {
  const [setting] = continuations(env);
  must(setting === undefined, setting ?? LIST, rule);
}

/** @returns the settings that go on with the list, in the order of their numbers. @throws BadSettings where one is left out */
function continuations(env: Record<string, unknown>): string[] {
  const numbers = Object.keys(env)
    .filter((name) => name.startsWith(MORE) && env[name] !== '')
    .map((name) => ({ name, number: Number(name.slice(MORE.length)) }))
    .toSorted((one, other) => one.number - other.number);
  readEach(numbers, ({ name, number }, index) =>
    must(number === index + 2, name, `${MORE}${index + 2}: they are numbered from 2, and none is left out`),
  );
  return numbers.map(({ name }) => name);
}

function readShard(entry: unknown, at: string, env: Record<string, unknown>, prefix: string): ShardSettings {
  const standard = { weight: 1, state: 'active' as const };
  const { secret, ...shard } = checkFields({ ...standard, ...checkObject(entry, at) }, at, SHARD) as Required<Fields>;
  return { ...shard, token: tokenIn(env, secret, at), prefix };
}

/** @returns a shard for each tag. They are told apart by their places: tags are added behind the last, and none is taken out. */
function readCluster(entry: unknown, env: Record<string, unknown>, prefix: string): ShardSettings[] {
  mustNotContinue(env, `left out where ${LIST} is no JSON array`);
  const { url, secret, tags } = checkFields(checkObject(entry, LIST), LIST, CLUSTER) as Fields & { tags: number };
  const token = tokenIn(env, secret, LIST);
  return chooseTags(prefix, tags).map((tag, place) => ({
    ...{ name: `t${place}`, url, token, prefix: tag, weight: 1 },
    state: 'active',
  }));
}

function checkObject(entry: unknown, at: string): object {
  must(typeof entry === 'object' && entry !== null && !Array.isArray(entry), at, 'a JSON object');
  return entry;
}

function checkFields(entry: object, at: string, rules: Rules): object {
  const isKnown = Object.keys(entry).every((field) => Object.hasOwn(rules, field));
  must(isKnown, at, `an object of ${Object.keys(rules).join(', ')} only`);
  readEach(Object.entries(rules), ([field, [holds, rule]]) =>
    must(holds(Reflect.get(entry, field)), `${at}.${field}`, rule),
  );
  return entry;
}

function tokenIn(env: Record<string, unknown>, secret: string, at: string): string {
  const token = Object.hasOwn(env, secret) ? env[secret] : undefined;
  must(
    isToken(token),
    `${at}.secret`,
    'the name of a binding that is set: the token of the database, none of it a blank',
  );
  return token as string;
}

/** Two of one name would share what is placed, and two of one database would each give out what the other holds. */
function checkUnique(shards: readonly ShardSettings[], index: number, at: string): void {
  const before = shards.slice(0, index);
  const shard = shards[index] as ShardSettings;
  must(!before.some(({ name }) => name === shard.name), `${at}.name`, 'a name of its own: another shard has it');
  must(!before.some((other) => isSame(other, shard)), `${at}.url`, 'a database of its own: another shard has it');
}

/** A database is what its URL leads to: a blank path or a name in capitals make no other of it. */
const isSame = (one: { url: string; prefix: string }, other: { url: string; prefix: string }) =>
  one.prefix === other.prefix && addressOf(one.url) === addressOf(other.url);
const addressOf = (url: string) => new URL(url).href.replace(/\/+$/, '');
