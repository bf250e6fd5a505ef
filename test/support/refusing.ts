/**
 * One call while storage refuses some of its writes, and what must hold then: nothing that was acknowledged is lost or there
 * twice, what failed can be repeated, and when storage takes writes again everything comes out by itself.
 */
import { Cluster } from 'ioredis';
import { expect } from 'vitest';
import type { Refusal } from '../../src/dev/emulator/refusals.ts';
import { StorageError } from '../../src/errors.ts';
import type { PreparedMessage } from '../../src/message/envelope.ts';
import type { Settlement } from '../../src/store/encode-settlements.ts';
import type { EnqueueRequest } from '../../src/store/enqueue.ts';
import type { SyncRequest } from '../../src/store/sync.ts';
import { Bench, type Redises, straightTo } from './bench.ts';
import { auditAll, deliverAll, idOf } from './settling.ts';
import type { Shard } from './shard.ts';

export interface Scenario {
  name: string;
  /** Every message of a scenario has its name as its body, each another. */
  prepare?: (b: Bench) => Promise<unknown>;
  /** One call of one script. Called again with what it answered where that says that a part was refused. */
  call: (scene: Scene, earlier?: Answer) => Promise<Answer>;
  /** Where a write is refused it fails, and nothing has changed. */
  whole?: boolean;
  /** What the bench minds although it is right. */
  right?: RegExp;
  /** What a call that failed may leave behind, with a reason. */
  leaves?: RegExp;
  /** What it did not do is left to the next of its kind. */
  again?: boolean;
  /** It has no growing writes: there is nothing to refuse. */
  deletes?: boolean;
  /** Comes behind all of it. */
  behind?: (b: Bench) => PreparedMessage[];
  /** What is refused waits and comes later: what the call gives, and how messages come out, is then not the same. */
  later?: boolean;
}

export interface Scene {
  b: Bench;
  id(name: string): string;
  /** From now on ids of these messages are known by their names. */
  know(): Promise<Shard>;
  named(value: unknown): unknown;
  /** Of each message, as far as its envelope was seen. */
  lanes: Map<string, string>;
  /** What did not hold before the call, and need not hold after it. */
  damage: Set<string>;
  right?: RegExp | undefined;
  /** The call has failed before: what it settled is settled. */
  failed?: boolean;
}

/** What a call gave, with names for ids. */
export interface Answer {
  /** A part was refused. */
  partial?: boolean;
  [field: string]: unknown;
}

/** A scenario to which nothing happens. */
export interface Undisturbed {
  /** The growing writes of its call, as '<command> <keys>' without what all keys begin with. */
  writes: string[];
  answer: Answer;
  state: unknown;
  ends: Ends;
}

interface Ends {
  /** Of each lane, in the order in which it was given out. */
  given: Record<string, string[]>;
  acked: string[];
  dead: string[];
}

async function runUndisturbed(redises: Redises, scenario: Scenario): Promise<Undisturbed> {
  const scene = await setScene(redises, scenario);
  const { b } = scene;
  const writes: string[] = [];
  const told = (all: string[]) => writes.push(...all.map((write) => write.replaceAll(b.root, '')));
  const answer = await refusing(redises, { from: Number.POSITIVE_INFINITY, told }, () => scenario.call(scene));
  expect(answer.partial, 'nothing was refused').toBeFalsy();
  const state = scenario.whole ? await stateOf(scene) : undefined;
  expect(await violationsIn(scene, false)).toEqual([]);
  const { faults, ends } = await comeToRest(scene, scenario);
  expect(faults).toEqual([]);
  return { writes: scene.named(writes) as string[], answer, state, ends };
}

/**
 * Runs the call once undisturbed, and then with each refusal.
 * @param refusals each with what it is called
 * @returns what does not hold
 */
export async function tryAll(
  redises: Redises,
  scenario: Scenario,
  refusals: (undisturbed: Undisturbed) => [where: string, Refusal][],
): Promise<string[]> {
  const undisturbed = await runUndisturbed(redises, scenario);
  expect(undisturbed.writes.length === 0, 'there is nothing to refuse').toBe(scenario.deletes ?? false);
  const faults: string[] = [];
  for (const [where, refusal] of refusals(undisturbed)) {
    const found = await runRefused(redises, scenario, refusal, undisturbed).catch((error: Error) => [
      `it throws ${error.message}`,
    ]);
    faults.push(...found.map((fault) => `${where}: ${fault}`));
  }
  return faults;
}

/** @returns what does not hold */
async function runRefused(
  redises: Redises,
  scenario: Scenario,
  refusal: Refusal,
  undisturbed: Undisturbed,
): Promise<string[]> {
  const scene = await setScene(redises, scenario);
  const keys = refusal.keys?.map((form) => scene.b.root + form);
  const faults: string[] = [];
  const before = scenario.whole ? await stateOf(scene) : undefined;
  const attempt = () =>
    refusing(redises, { ...refusal, ...(keys ? { keys } : {}) }, () => scenario.call(scene)).catch(refused);

  let answer = await attempt();
  faults.push(...(await violationsIn(scene, true)));
  if (answer instanceof StorageError && scenario.whole) {
    faults.push(...differences('a failed call changed', before, await stateOf(scene)));
    if (refusal.times === Number.POSITIVE_INFINITY) {
      const again = await attempt();
      if (!(again instanceof StorageError)) faults.push('the repeat of what is refused still answers success');
      faults.push(...differences('a repeat that failed changed', before, await stateOf(scene)));
    }
  }
  scene.failed = answer instanceof StorageError;
  if (answer instanceof StorageError || scenario.again) answer = await scenario.call(scene);
  else delete answer.wake; // whether it wakes a drain is a hint
  for (let tries = 0; answer.partial; tries++) {
    if (tries === 3) return [...faults, 'it does not come to an end although nothing is refused'];
    answer = await scenario.call(scene, answer);
  }

  faults.push(...(await violationsIn(scene, true)));
  const { wake = answer.wake, ...expected } = undisturbed.answer;
  if (!scenario.later)
    faults.push(...differences('it gives in the end', { ...expected, ...(scene.failed ? { wake } : {}) }, answer));
  if (scenario.whole && scene.failed)
    faults.push(...differences('it ends in', undisturbed.state, await stateOf(scene)));
  const rest = await comeToRest(scene, scenario);
  faults.push(...rest.faults);
  const ends = scenario.later ? (['acked', 'dead'] as const) : (['given', 'acked', 'dead'] as const);
  for (const end of ends) faults.push(...differences(end, undisturbed.ends[end], rest.ends[end]));
  return shortened([...new Set(faults)].filter((fault) => !scenario.leaves?.test(fault)));
}

/** What is wrong is mostly wrong with many. */
const SAID = 6;

const shortened = (said: string[]) =>
  said.length > SAID ? [...said.slice(0, SAID), `… and ${said.length - SAID} more`] : said;

function refused(error: unknown): StorageError {
  if (error instanceof StorageError && error.code === 'refused') return error;
  throw error;
}

export async function refusing<T>(redises: Redises, refusal: Refusal, call: () => Promise<T>): Promise<T> {
  redises.refuse = () => refusal;
  try {
    return await call();
  } finally {
    delete redises.refuse;
  }
}

export async function setScene(
  redises: Redises,
  { prepare, right }: Pick<Scenario, 'prepare' | 'right'>,
): Promise<Scene> {
  await clear(redises.raw); // sweeps walk over all keys that there are
  const b = new Bench(redises, straightTo(redises.emulator));
  const ids = new Map<string, string>();
  const names = new Map<string, string>();
  const learn = (id: string, name: string | undefined) => {
    if (name === undefined || names.has(id) || ids.has(name)) return;
    ids.set(name, id);
    names.set(id, name);
  };
  const enqueue = b.enqueue.bind(b);
  b.enqueue = async (...messages) => {
    const enqueued = await enqueue(...messages);
    for (const [i, id] of enqueued.entries()) learn(id, nameIn(`\n${messages[i]?.json}`)); // its envelope may be gone soon
    return enqueued;
  };
  const known = (id: string) => (names.has(id) ? `<${names.get(id)}>` : undefined);
  const scene: Scene = {
    b,
    damage: new Set(),
    lanes: new Map(),
    id: (name) => ids.get(name) ?? `no ${name}`,
    async know() {
      const shard = await b.shard();
      for (const [id, envelope] of Object.entries(shard.envelopes)) {
        learn(id, nameIn(envelope));
        scene.lanes.set(id, envelope.split(' ')[0] ?? '');
      }
      return shard;
    },
    named(value) {
      const text = (JSON.stringify(value) ?? 'null').replaceAll(b.root, '');
      return JSON.parse(
        text.replace(TOKEN, (id, base, place = '') => known(id) ?? `${known(base) ?? '<token>'}${place}`),
      );
    },
  };
  await prepare?.(b);
  await scene.know();
  scene.damage = new Set(await violationsIn(scene, false));
  scene.right = right;
  return scene;
}

async function clear(raw: Redises['raw']): Promise<void> {
  const masters = raw instanceof Cluster ? raw.nodes('master') : [raw];
  await Promise.all(masters.map((node) => node.flushall()));
}

/** An id, or what those of a request begin with. */
const TOKEN = /\b([0-9A-Za-z]{20})(-\d+)?\b/g;

const nameIn = (envelope: string) => /\n\{"body":"([^"]*)"/.exec(envelope)?.[1];

/** Counts of slots may be too high until the next sweep, never too low. */
export async function violationsIn(scene: Scene, overstated: boolean): Promise<string[]> {
  const found = (await scene.b.violations()).filter((violation) => {
    const [, counted, slots] = /^I6: .* counts (\d+) in flight, (\d+) have slots$/.exec(violation) ?? [];
    return !(overstated && Number(counted) > Number(slots));
  });
  return (scene.named(found) as string[]).filter(
    (violation) => !scene.damage.has(violation) && !scene.right?.test(violation),
  );
}

/** All that the shard holds but figures, with names for ids. */
async function stateOf(scene: Scene): Promise<unknown> {
  const { b } = scene;
  const shard = await scene.know();
  const { raw } = b.redises;
  const rest: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(shard.rest)) {
    const key = b.root + name;
    if (name.startsWith('stats:') || (name.startsWith('req:') && name !== 'req:token' && value !== 'counters'))
      continue;
    if (value === 'list') rest[name] = await raw.lrange(key, 0, -1);
    else if (value === 'hash') rest[name] = await raw.hgetall(key);
    else if (value === 'zset') rest[name] = await raw.zrange(key, 0, -1, 'WITHSCORES');
    else rest[name] = value;
  }
  return scene.named({ ...shard, rest });
}

/** @returns a sentence for each place in which they differ */
function differences(what: string, expected: unknown, found: unknown): string[] {
  const [before, after] = [placesIn(expected), placesIn(found)];
  const places = [...new Set([...before.keys(), ...after.keys()])].filter(
    (place) => before.get(place) !== after.get(place),
  );
  return shortened(places.map((place) => `${what} ${place}: ${after.get(place)} instead of ${before.get(place)}`));
}

/** Each value that holds no others, by the way to it. */
function placesIn(value: unknown, place = ''): Map<string, string> {
  if (typeof value !== 'object' || value === null) return new Map([[place, JSON.stringify(value) ?? 'nothing']]);
  const inner = Object.entries(value).filter(([, held]) => held !== undefined);
  return new Map(inner.flatMap(([name, held]) => [...placesIn(held, `${place}/${name}`)]));
}

/** Storage takes writes again: a sweep repairs, the audit finds nothing, and time brings everything out. */
export async function comeToRest(
  scene: Scene,
  { behind }: Pick<Scenario, 'behind'> = {},
): Promise<{ faults: string[]; ends: Ends }> {
  const { b } = scene;
  const faults: string[] = [];
  if (behind) await b.enqueue(...behind(b));
  await sweepRound(b);
  adopt(scene, await scene.know());
  for (const deep of [false, true])
    faults.push(...(await auditAll(b.store, false, deep)).map((found) => `audit: ${found}`));
  faults.push(...(await violationsIn(scene, false)));
  await letGo(b);
  await scene.know();
  const { given, acked, dead } = await deliverAll(b);
  const twice = [...given].filter(([, times]) => times > 1).map(([entry]) => `given twice: ${entry}`);
  const shard = await scene.know();
  adopt(scene, shard);
  const lost = [...b.alive].filter((id) => !dead.has(id)).map((id) => `it never came: ${id}`);
  faults.push(...twice, ...lost, ...(await violationsIn(scene, false)));
  for (const deep of [false, true])
    faults.push(...(await auditAll(b.store, false, deep)).map((found) => `audit at the end: ${found}`));
  // What follows on a death has its instant in its name.
  const sorted = (entries: Iterable<string>) =>
    (scene.named([...entries]) as string[]).map((name) => name.replace(/-\d{13}$/, '')).toSorted();
  return {
    faults: scene.named(faults) as string[],
    ends: { given: byLane(scene, [...given.keys()]), acked: sorted(acked), dead: sorted(dead) },
  };
}

function byLane({ lanes, named }: Scene, entries: string[]): Record<string, string[]> {
  const given = Object.groupBy(entries, (entry) => lanes.get(idOf(entry)) ?? '-');
  return named(given) as Record<string, string[]>;
}

/** Nothing waits for an operator any more, and no schedule comes again and again. */
async function letGo(b: Bench): Promise<void> {
  const { config, timers } = await b.shard();
  for (const [queue, word] of Object.entries(config))
    if (word.startsWith('paused')) await b.adminStore().resume(queue, '*');
  const { raw } = b.redises;
  for (const timer of Object.keys(timers)) if (timer.startsWith('s ')) await raw.zrem(`${b.root}timers`, timer);
  await raw.del(`${b.root}schedules`);
}

/** Everything that is there is looked at once. */
async function sweepRound({ store }: Bench): Promise<void> {
  let cursor = '0';
  do cursor = (await store.sweep('*', { cursor })).cursor;
  while (cursor !== '0');
  while ((await store.sweep('*')).fired > 0);
}

/** Those that follow on others get their ids from storage. */
export function adopt({ b }: Pick<Scene, 'b'>, { envelopes }: Shard): void {
  for (const id of Object.keys(envelopes)) if (/-(done|dead)\d+(-\d+)?$/.test(id)) b.alive.add(id);
}

/** An enqueue of these, under one token. */
export function enqueues(
  messages: (b: Bench) => PreparedMessage[],
  more: Partial<EnqueueRequest> = {},
): Scenario['call'] {
  return async (scene) => {
    const { b } = scene;
    const list = messages(b);
    const { ids, replayed, wake, duplicates } = await b.store.enqueue({ messages: list, token: 'token', ...more });
    list.forEach((message, i) => {
      if (!duplicates.has(i)) b.expectAlive([ids[i] ?? ''], [message]);
    });
    await scene.know();
    return scene.named({ ids, replayed, wake, duplicates: [...duplicates] }) as Answer;
  };
}

/** What is settled: its name, and more. */
export type Settled = [name: string, outcome: Settlement['outcome'], more?: Partial<Settlement> & { attempt?: string }];

export interface Syncing extends Omit<Partial<SyncRequest>, 'settlements'> {
  settle?: Settled[];
}

/** What an outcome is called that was asked for and given. */
const WORDS = { ack: 'acked', retry: 'retried', dead: 'dead', release: 'released' } as const;

/** A sync; again, it settles what was refused and takes what is still wanted. */
export function syncs(request: Syncing): Scenario['call'] {
  const { settle = [], lease = 'a', held = 0, want = 0, ...rest } = request;
  return async (scene, earlier) => {
    const { b, id, know, named } = scene;
    const before = (earlier?.statuses as string[]) ?? settle.map(() => 'refused');
    const taken = (earlier?.taken as string[]) ?? [];
    const places = settle.flatMap((_, i) => (before[i] === 'refused' ? [i] : []));
    const settlements = places.map((place): Settlement => {
      const [name, outcome, { attempt = '1', ...more } = {}] = settle[place] as Settled;
      const failure = outcome === 'ack' ? {} : { failure: { kind: 'failed' as const, text: 'x' } };
      return { entry: `${attempt}.${id(name)}`, outcome, ...failure, ...more };
    });
    const sizes = { lease, held: held + taken.length, want: want - taken.length };
    try {
      const answer = await b.sync({ ...rest, ...sizes, settlements });
      const statuses = [...before];
      places.forEach((place, i) => {
        const status = answer.statuses[i] ?? '';
        const settledBefore = scene.failed && (status === 'gone' || status === 'stale');
        statuses[place] = settledBefore ? WORDS[settlements[i]?.outcome ?? 'ack'] : status;
        if (status === 'acked') for (const next of settlements[i]?.chained ?? []) b.expectAlive([next.id], [next]);
      });
      adopt(scene, await know());
      const all = [...taken, ...(named(answer.taken.map(({ entry }) => entry)) as string[])].toSorted();
      const partial = statuses.includes('refused') || Boolean((answer as { refused?: unknown }).refused);
      return { statuses, taken: all, partial, lost: answer.lost, transitions: named(answer.transitions) };
    } catch (error) {
      await accountFor(scene, settlements);
      throw error;
    }
  };
}

/** The call failed: an ack was applied if its message is gone, and then what came with it is there. */
export async function accountFor(scene: Scene, settlements: Settlement[]): Promise<void> {
  const shard = await scene.know();
  for (const { entry, outcome, chained = [] } of settlements) {
    if (outcome !== 'ack' || idOf(entry) in shard.envelopes) continue;
    scene.b.alive.delete(idOf(entry));
    for (const next of chained) scene.b.expectAlive([next.id], [next]);
  }
  adopt(scene, shard);
}
