/**
 * A torture run over several shards: requests over queues of all of them, consumers and cron, on databases that lose their answers and
 * are away in turns, while the Worker is killed again and again. Then all faults stop, everything is drained, and the history is judged:
 * what was accepted together is there together, once, wherever it belongs.
 */
import { startProgress } from '../../../examples/demo/progress.ts';
import { readAdminCall, readFindings } from '../../../scripts/lua/observe.ts';
import { buildBundle } from '../../../src/dev/bundle.ts';
import { startTicker } from '../../../src/dev/cron.ts';
import type { Observation } from '../../../src/dev/emulator/backend.ts';
import { seededFaults } from '../../../src/dev/emulator/faults.ts';
import { newSecret } from '../../../src/dev/secrets.ts';
import { tokensSetting } from '../../../src/dev/stack.ts';
import { startWorker } from '../../../src/dev/worker.ts';
import { PUSH_POOL } from '../../../src/message/lane.ts';
import { openShard } from '../../../src/redis/shard.ts';
import { connect } from '../../../src/redis/undici.ts';
import { placeName } from '../../../src/shards/placement.ts';
import type { Finding } from '../../../src/store/audit.ts';
import { openStore, type Store } from '../../../src/store/store.ts';
import { judge } from '../checker.ts';
import { startFront } from '../front.ts';
import { type History, startHistory } from '../history.ts';
import { keepLeaseBook } from '../lease-book.ts';
import { beginLives } from '../lives.ts';
import { LIMIT, LIMITED, ORDERED, PULL_QUEUES, planMessages } from '../messages.ts';
import { MIXES, STORAGE_TIMEOUT_MS } from '../mixes.ts';
import { openObserver } from '../observed.ts';
import { startTortureOutbox } from '../outbox.ts';
import { overHttp, produce, type Send } from '../producers.ts';
import { chanceFor } from '../random.ts';
import { auditAll, bringForward, isEmpty, type Leftover, recount } from '../recount.ts';
import { verdictOf } from '../report.ts';
import { REFUSED_LEAVE } from '../run.ts';
import type { Settings } from '../settings.ts';
import { withSmallRecords } from '../small-records.ts';
import { planAbsences } from './absences.ts';
import { consume } from './consumer.ts';
import { type Deployment, INSIDE, openDeployment, switching } from './deployment.ts';
import { operate, resumeAll } from './operators.ts';
import { countParcels, isOnlyOfShards, isParcelTimer } from './parcels.ts';
import { queues } from './queues.ts';
import { figuresOf, tableOf } from './report.ts';
import { planResharding } from './reshard.ts';
import { type Storage, startStorage } from './storages.ts';
import { embellish } from './variety.ts';

const WORKER = 'test/chaos/shards/worker.ts';
const HTTP_PRODUCERS = 4;
const INSIDE_PRODUCERS = 3;
const CONSUMERS = 3;
const PULLED = 0.5;
const LEASE_MS = 2_500;
const TICK_MS = 1_000;
const DRAIN_MS = 4_000;
const SWEEPS_AT_ONCE = 2;
/** Producers wait while more is under way: a backlog that only grows would be drained long after the faults have ended. */
const MOST_OPEN = 8_000;
/** A shard that has failed again and again is left alone for up to 96 s, and behind that a parcel may wait for its next try. */
const DRAIN_WITHIN_MS = 150_000;

export async function runSharded(settings: Settings): Promise<void> {
  const { seed, mix } = settings;
  const chance = (name: string) => chanceFor(seed, name);
  const history = startHistory();
  const book = keepLeaseBook(history);
  const outbox = await startTortureOutbox(history);
  const prefix = `torture-${process.pid}-${Date.now()}`;
  const swept: Finding[] = [];
  const seeded = seededFaults({ seed, rates: MIXES[mix].rates, delayMs: MIXES[mix].delayMs });
  let faulty = false;
  let forwarded = 0;

  /** What operators did, when Redis did it; a parcel is cancelled by whoever has forwarded it. */
  const recordAdminCall = (observation: Observation, shard: string, isParcel: (id: string) => boolean) => {
    const adminCall = readAdminCall(observation);
    if (adminCall?.what === 'redriven') {
      for (const id of adminCall.ids) history.record({ what: 'outcome', id, outcome: 'redriven' });
    } else if (adminCall?.what !== 'cancelled') {
      if (adminCall) history.record({ ...adminCall, shard });
    } else if (isParcel(adminCall.id)) forwarded += 1;
    else history.record({ what: 'outcome', id: adminCall.id, outcome: 'cancelled' });
  };
  const observe = (name: string) => {
    const observer = openObserver(name);
    return (observation: Observation) => {
      swept.push(...readFindings(observation).filter(({ finding }) => !REFUSED_LEAVE.has(finding)));
      const seen = observer.see(observation);
      if (seen) book.see(seen);
      else recordAdminCall(observation, name, observer.isParcel);
    };
  };
  const storages = await Promise.all(
    Array.from({ length: settings.shards }, (_, i) => {
      const name = settings.reshard && i === settings.shards - 1 ? nameForMany(i) : `shard-${i + 1}`;
      const faults = ({ commands }: { commands: string[][] }) =>
        faulty && !isLook(commands) ? seeded.faults({ path: '', commands }) : undefined;
      return startStorage({ name, redis: settings.redis, faults, observe: observe(name) });
    }),
  );
  const front = await startFront({ chance: chance('front'), isFaulty: () => faulty, onBegun: () => {} });
  const token = newSecret();
  const joining = settings.reshard ? storages.at(-1) : undefined;
  const settingsOf = (listed: readonly Storage[]) => ({
    ...shardSettings(listed, joining),
    OUTBOX_URL: outbox.url,
    SLUICE_TOKENS: tokensSetting(token),
    SLUICE_PREFIX: prefix,
    SLUICE_REDIS_TIMEOUT_MS: String(STORAGE_TIMEOUT_MS),
    SLUICE_DRAIN_REQUESTS: '9000',
    SLUICE_DESTINATION_LOCAL: 'true',
    SLUICE_LEASE_MS: String(LEASE_MS),
    SLUICE_DRAIN_MS: String(DRAIN_MS),
    SLUICE_CONCURRENCY: '24',
    SLUICE_BATCH: '16',
    SLUICE_DRAINERS: '4',
    SLUICE_URL: front.url,
    SLUICE_CONNECTIONS: '40', // this machine has more than six
  });
  let env = settingsOf(storages.filter((storage) => storage !== joining));
  const plain = await buildBundle(WORKER);
  const bundle = settings.smallRecords ? withSmallRecords(plain) : plain;
  const start = () => startWorker({ bundle, env, drainer: settings.drainer, log: () => {} });
  const everyMs = MIXES[mix].killEveryMs;
  const lives = await beginLives({ start, history, chance: chance('lives'), everyMs, onKill: () => {} });
  front.serve(lives.url);
  const old = openDeployment(env, token);
  await old.tick(); // it is deployed where all is well: each shard has the map
  const fresh = joining ? openDeployment(settingsOf(storages), token) : old;
  const deploy = () => {
    env = settingsOf(storages);
    lives.strike();
  };
  const resharding =
    joining && planResharding({ shard: joining.name, secondsOfRun: settings.seconds, deploy, deployment: fresh });
  const deploymentOf = (actor: number) => switching(() => (resharding?.versionFor(actor) === 'old' ? old : fresh));
  const deployment = deploymentOf(0);
  faulty = mix !== 'none';
  const ticker = startTicker(
    () => lives.tick(),
    () => {}, // a tick that a kill cut off
    TICK_MS,
  );
  const progress = startProgress(() => {
    const away = storages.filter((storage) => storage.isAway()).map(({ name }) => name);
    return `stored ${book.stored()}, acked ${book.acked()}, parcels ${book.parcels()}, away ${away.join(' ') || 'none'}`;
  });
  progress.say(`seed ${seed}, faults ${mix}, ${storages.length} shards, Redis: ${storages[0]?.redis}`);

  try {
    const started = performance.now();
    let phase: 'faults' | 'draining' | 'over' = 'faults';
    const consumers = Array.from({ length: CONSUMERS }, (_, i) =>
      consume({
        ...{ deployment: deploymentOf(i), history, chance: chance(`consumer ${i}`), leaseMs: LEASE_MS },
        isOver: () => phase === 'over',
        isGood: () => phase !== 'faults' || mix === 'none',
      }),
    );
    const stores = storages.map((storage) => storeOn(storage, prefix));
    const sweeping = sweepAtOnce(stores, () => phase === 'over');
    const operating = operate({ deployment, history, chance: chance('operator'), isOver: () => phase !== 'faults' });
    const absences = planAbsences(storages, settings.seconds);
    const leaving = mix === 'none' ? undefined : absences.run(() => phase !== 'faults');
    const moving = resharding?.run(() => phase !== 'faults');
    await produceAll({ settings, history, deploymentOf, token, url: lives.url, open: book.open });

    progress.say('the faults stop, and what is left is drained');
    faulty = false;
    phase = 'draining';
    await leaving;
    await lives.stop();
    await operating;
    await moving;
    await resharding?.finish();
    const roots = storages.map(({ client }) => ({ client, root: `{${prefix}}:` }));
    await until(async () => {
      await resumeAll(deployment); // again and again: a pause may be on its way still
      await Promise.all(roots.map(({ client, root }) => bringForward(client, root, isParcelTimer)));
      const empty = await Promise.all(roots.map(({ client, root }) => isEmpty(client, root)));
      return empty.every((is) => is);
    });
    const seconds = (performance.now() - started) / 1_000;
    phase = 'over';
    await Promise.all([...consumers, sweeping]);
    ticker.stop();

    progress.say('two sweeps, the audit, and the recount of each shard');
    const auditFindings: Finding[] = [];
    const leftovers: (Leftover & { shard: string })[] = [];
    let parcelsLeft = 0;
    for (const [i, { client, root }] of roots.entries()) {
      const [store, { name }] = [stores[i], storages[i]] as [Store, Storage];
      await store.sweep(PUSH_POOL);
      await store.sweep(PUSH_POOL);
      auditFindings.push(...(await auditAll(store)));
      const left = await recount(client, root);
      const areOfShards = await isOnlyOfShards(client, root + BREAKERS);
      const missed = left.leftovers.filter(({ what }) => !CALLBACKS.test(what) && !(what === BREAKERS && areOfShards));
      leftovers.push(...missed.map((leftover) => ({ ...leftover, shard: name })));
      for (const id of left.dead) history.record({ what: 'outcome', id, outcome: 'dead' });
      parcelsLeft += await countParcels(client, root);
    }
    progress.stop();
    const isOrdered = (queue: string) => queue === ORDERED;
    const verdict = judge(history.events, { limitOf: (queue) => (queue === LIMITED ? LIMIT : undefined), isOrdered });
    const found = { verdict, auditFindings, sweepFindings: swept, leftovers };
    const figures = figuresOf({
      ...{ ...found, seed, seconds, parcels: book.parcels(), forwarded, parcelsLeft, faultsInjected: seeded.counts },
      shards: storages.map(({ name }, i) => ({ name, away: absences.counts[i] ?? 0, ...countsOf(history, name) })),
      redis: storages[0]?.redis ?? '',
      ...(resharding && { resharded: [...resharding.done] }),
    });
    console.log(`\n${tableOf(figures)}\n\n${verdictOf({ ...figures, missing: [] }, found, history.events)}`);
    if (settings.asJson) console.log(JSON.stringify(figures));
    process.exitCode = figures.passed ? 0 : 1;
  } finally {
    ticker.stop();
    progress.stop();
    await lives.stop();
    await lives.end();
    await Promise.all([front.close(), outbox.close(), ...storages.map((storage) => storage.close())]);
  }
}

/**
 * Of a message that has ended, where storage refused to take them away: nothing names them any more, and the deep audit removes them.
 * One whose callbacks have not come shows among what is lost.
 */
const CALLBACKS = /^callbacks:/;
const BREAKERS = 'breakers';

/** What the run itself asks, and the library never. */
const isLook = (commands: string[][]) => commands.every(([verb]) => verb?.toLowerCase() === 'exists');

/** A name for the shard that joins so many others, to which more than one queue goes that is pushed, and one that is pulled. */
function nameForMany(others: number): string {
  const names = Array.from({ length: others }, (_, i) => `shard-${i + 1}`);
  for (let n = 0; ; n++) {
    const name = `joining-${n}`;
    const shards = [...names, name].map((each) => ({ name: each, weight: 1 }));
    const moved = queues.filter((queue) => placeName(`q:${queue.name}`, shards) === name);
    if (moved.length > 3 && moved.some(({ name: of }) => PULL_QUEUES.includes(of))) return name;
  }
}

/** The bindings that name the databases. @param joining of them, one that is there for the first time */
function shardSettings(storages: readonly Storage[], joining: Storage | undefined): Record<string, string> {
  const secretOf = (name: string) => `TOKEN_${name.replaceAll('-', '_').toUpperCase()}`;
  const list = storages.map((storage) => {
    const { name, url } = storage;
    return { name, url, secret: secretOf(name), ...(storage === joining && { state: 'joining' }) };
  });
  const tokens = storages.map(({ name, token }) => [secretOf(name), token]);
  return { SLUICE_SHARDS: JSON.stringify(list), ...Object.fromEntries(tokens) };
}

/** One database alone, as scripts see it: for sweeps from outside, and to audit it. */
function storeOn({ url, token }: Storage, prefix: string): Store {
  const send = connect({ url, token, timeoutMs: () => STORAGE_TIMEOUT_MS });
  return openStore(openShard({ send, prefix }));
}

interface Production {
  settings: Settings;
  history: History;
  deploymentOf: (actor: number) => Deployment;
  token: string;
  /** Of the Worker at the time. */
  url: () => string;
  /** Messages under way. */
  open: () => number;
}

/** All producers, until the time is over or enough was begun. */
async function produceAll({ settings, history, deploymentOf, token, url, open }: Production): Promise<void> {
  const { seed, seconds, messages } = settings;
  const end = performance.now() + seconds * 1_000;
  const planned = chanceFor(seed, 'messages');
  const plan = embellish(planMessages(planned), planned);
  let begun = 0;
  const mayGoOn = () => {
    if (performance.now() > end || begun >= messages) return 'no';
    return open() > MOST_OPEN ? 'later' : 'yes';
  };
  const producer = (name: string, send: Send) => {
    const chance = chanceFor(seed, name);
    const next = () => {
      begun += 1;
      return plan(chance.happens(PULLED));
    };
    return produce({ send, plan: next, history, chance, mayGoOn });
  };
  const inside = (actor: number) => overHttp(() => INSIDE, token, deploymentOf(actor).fetch);
  await Promise.all([
    ...Array.from({ length: HTTP_PRODUCERS }, (_, i) => producer(`http ${i}`, overHttp(url, token))),
    ...Array.from({ length: INSIDE_PRODUCERS }, (_, i) => producer(`inside ${i}`, inside(i))),
  ]);
}

/** Sweeps of each shard, again and again, as from pingers that know nothing of each other. */
async function sweepAtOnce(stores: Store[], isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    const each = Array.from({ length: SWEEPS_AT_ONCE }, () => stores.map((store) => store.sweep(PUSH_POOL)));
    await Promise.allSettled(each.flat());
    await sleep(TICK_MS / 2);
  }
}

/** What one shard has stored and given out. */
function countsOf({ events }: History, name: string): { stored: number; leased: number } {
  let [stored, leased] = [0, 0];
  for (const event of events) {
    if (event.what === 'stored' && event.shard === name) stored += event.messages.length;
    if (event.what === 'leased' && event.shard === name) leased += event.entries.length;
  }
  return { stored, leased };
}

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Waits for it, but not for ever: what is still there then shows as left over. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + DRAIN_WITHIN_MS;
  while (!(await holds()) && performance.now() < end) await sleep(200);
}
