/**
 * A torture run: producers, consumers and sweeps on a Redis that loses its answers, while the Worker is killed again
 * and again. Then all faults stop, everything is drained, and the history is judged.
 */
import { Redis } from '@upstash/redis';
import { startProgress } from '../../examples/demo/progress.ts';
import { readAdminCall, readClaim, readFindings } from '../../scripts/lua/observe.ts';
import { buildBundle } from '../../src/dev/bundle.ts';
import { startTicker } from '../../src/dev/cron.ts';
import type { Observation } from '../../src/dev/emulator/backend.ts';
import { type FaultRequest, seededFaults } from '../../src/dev/emulator/faults.ts';
import { type Stack, startStack } from '../../src/dev/stack.ts';
import { StorageError } from '../../src/errors.ts';
import { PUSH_POOL } from '../../src/message/lane.ts';
import type { Send as SendToRedis } from '../../src/redis/send.ts';
import { openShard } from '../../src/redis/shard.ts';
import { connect } from '../../src/redis/undici.ts';
import { type AdminStore, openAdminStore } from '../../src/store/admin.ts';
import type { Finding } from '../../src/store/audit.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { judge } from './checker.ts';
import { consume } from './consumer.ts';
import { type Front, startFront } from './front.ts';
import { type FurtherDrains, followFurtherDrains } from './further.ts';
import { type History, startHistory } from './history.ts';
import { keepLeaseBook, type LeaseBook } from './lease-book.ts';
import { beginLives, type Lives } from './lives.ts';
import { LIMIT, LIMITED, ORDERED, planMessages, VERSIONS } from './messages.ts';
import { MIXES, STORAGE_TIMEOUT_MS } from './mixes.ts';
import { openObserver } from './observed.ts';
import { operate, resumeAll } from './operators.ts';
import { startTortureOutbox } from './outbox.ts';
import { overHttp, produce, type Send, throughStore } from './producers.ts';
import { type Quotas, watchQuotas } from './quotas.ts';
import { chanceFor } from './random.ts';
import { auditAll, bringForward, isEmpty, recount, removeKeys } from './recount.ts';
import { figuresOf, type Run, tableOf, verdictOf } from './report.ts';
import type { Settings } from './settings.ts';
import { withSmallRecords } from './small-records.ts';
import { openTides, type TideOptions, type Tides } from './tides.ts';

const HTTP_PRODUCERS = 4;
const STORE_PRODUCERS = 3;
const CONSUMERS = 3;
/** Producers at the store give up a call soon, so that many must ask again what became of it. */
const HASTY = [20];
const LEASE_MS = 2_500;
const TICK_MS = 1_000;
const SWEEPS_AT_ONCE = 5;
/** Of calms, those at whose last hand-off the Worker is killed. */
const STRIKES = 0.7;
/** Of further drains, those whose Worker is killed within this time. */
const FURTHER_STRIKES = 0.5;
const FURTHER_STRIKES_MS = 1_000;
const DRAIN_MS = 4_000;
/** A further drain may be at work for so long beyond that. */
const START_MS = 2_000;
/** Producers wait while more is under way: a backlog that only grows would be drained long after the faults have ended. */
const MOST_OPEN = 8_000;
/** What died with its lease, or was cancelled, stays among those that are under way, for no answer says so: that many of all. */
const STAYS_OPEN = 0.01;
/** Half of all messages are pushed: those that are pulled are no more than so many ahead. */
const PULLED_AHEAD = 1_000;
const DRAIN_WITHIN_MS = 90_000;

/** What sweeps find where storage refused a write or a queue was resumed. All else is a fault of ours: nobody damages what is stored. */
export const REFUSED_LEAVE = new Set(['blocked-lane', 'count-without-slots', 'not-inspected']);

/** Everything a run is made of. */
interface Stage extends Settings {
  stack: Stack;
  history: History;
  book: LeaseBook;
  redisClient: Redis;
  root: string;
  openStore: (options?: StoreOptions) => Store;
  adminStore: AdminStore;
  quotas: Quotas;
  front: Front;
  furtherDrains: FurtherDrains;
  /** Tells when messages were handed off, and when a further drain began. */
  onMoment: (listener: (moment: Moment) => void) => void;
  stopFaults: () => void;
}

type Moment = 'hand-off' | 'further drain';

interface StoreOptions {
  /** Each call is repeated so often before it counts as unanswered. */
  repeatAfterMs?: number[];
  /** Told of each request without an answer. */
  onUnanswered?: () => void;
  /** Of the deployment: its policies. */
  version?: 0 | 1;
}

export async function run(settings: Settings): Promise<void> {
  const history = startHistory();
  const book = keepLeaseBook(history);
  const outbox = await startTortureOutbox(history);
  const swept: Finding[] = [];
  const prefix = `torture-${process.pid}-${Date.now()}`;
  const { rates, delayMs } = MIXES[settings.mix];
  const seeded = seededFaults({ seed: settings.seed, rates, delayMs });
  let faulty = false;
  const furtherDrains = followFurtherDrains(DRAIN_MS + START_MS);
  const front = await startFront({
    chance: chanceFor(settings.seed, 'front'),
    isFaulty: () => faulty && settings.mix !== 'none',
    onBegun: (place, worker) => {
      furtherDrains.begun(place, worker);
      note('further drain');
    },
  });
  let note: (moment: Moment) => void = () => {};
  const quotas = watchQuotas({
    emulator: () => stack.emulator,
    chance: chanceFor(settings.seed, 'quotas'),
    progress: () => [outbox.deliveries(), book.acked()],
  });
  const observer = openObserver();
  const bundle = settings.smallRecords ? withSmallRecords(await buildBundle()) : await buildBundle();
  const stack: Stack = await startStack({
    bundle,
    redis: settings.redis === 'embedded' ? undefined : settings.redis,
    drainer: settings.drainer,
    env: {
      OUTBOX_URL: outbox.url,
      SLUICE_PREFIX: prefix,
      SLUICE_REDIS_TIMEOUT_MS: String(STORAGE_TIMEOUT_MS),
      SLUICE_LEASE_MS: String(LEASE_MS),
      SLUICE_DRAIN_MS: String(DRAIN_MS), // shorter than a hanging handler: drains live on for some, and others begin meanwhile
      SLUICE_CONCURRENCY: '24',
      SLUICE_BATCH: '16', // so that backlogs stand, and drains keep several leases
      SLUICE_DRAINERS: '4',
      SLUICE_URL: front.url,
      SLUICE_CONNECTIONS: '40', // this machine has more than six
    },
    emulator: {
      faults: (request) => (faulty && !isLook(request) ? seeded.faults(request) : undefined),
      observe: (observation) => {
        quotas.see(observation);
        swept.push(...readFindings(observation).filter(({ finding }) => !REFUSED_LEAVE.has(finding)));
        const seen = observer.see(observation);
        if (seen) book.see(seen);
        else recordAdminCall(history, observation);
        if (seen?.what === 'stored' && seen.handedTo) note('hand-off');
        const claim = readClaim(observation);
        if (!claim) return;
        furtherDrains.claimed(claim);
        if (settings.drainer) for (const place of claim.others) furtherDrains.begun(place);
      },
    },
    log: () => {}, // a killed Worker complains
  });
  const { emulator } = stack;
  const send = connect({ url: emulator.url, token: emulator.token, timeoutMs: () => STORAGE_TIMEOUT_MS });
  const redisClient = new Redis({ url: emulator.url, token: emulator.token });
  const root = `{${prefix}}:`;
  const open = ({ onUnanswered, version = 0, ...options }: StoreOptions = {}) => {
    const shard = openShard({ send: onUnanswered ? watched(send, onUnanswered) : send, prefix });
    return openStore(shard.within(options), { policies: VERSIONS[version] });
  };
  const adminStore = openAdminStore(openShard({ send, prefix }));
  try {
    faulty = true;
    const judged = await torture({
      ...settings,
      ...{ stack, history, book, redisClient, root, openStore: open, adminStore, quotas, front, furtherDrains },
      onMoment: (listener) => {
        note = listener;
      },
      stopFaults: () => (faulty = false),
    });
    const report = { ...judged, sweepFindings: swept, faultsInjected: seeded.counts };
    const figures = figuresOf(report);
    console.log(`\n${tableOf(figures)}\n\n${verdictOf(figures, report, history.events)}`);
    if (settings.asJson) console.log(JSON.stringify(figures));
    process.exitCode = figures.passed ? 0 : 1;
  } finally {
    faulty = false;
    await removeKeys(redisClient, root);
    await stack.close();
    await front.close();
    await outbox.close();
  }
}

async function torture(stage: Stage): Promise<Omit<Run, 'sweepFindings' | 'faultsInjected'>> {
  const { stack, history, book, seed, redisClient, root } = stage;
  const { killEveryMs } = MIXES[stage.mix];
  const chance = (name: string) => chanceFor(seed, name);
  const start = () => stack.startWorker();
  const onKill = stage.furtherDrains.killed;
  const lives = await beginLives({ start, history, chance: chance('lives'), everyMs: killEveryMs, onKill });
  stage.front.serve(lives.url);
  const ticker = startTicker(
    () => lives.tick(),
    () => {}, // a tick that a kill cut off
    TICK_MS,
  );
  const progress = startProgress(() => {
    return `stored ${book.stored()}, acked ${book.acked()}, in leases ${book.held()}, kills ${lives.kills()}`;
  });
  progress.say(`seed ${seed}, faults ${stage.mix}, Redis: ${stack.redis}`);

  const started = performance.now();
  let phase: 'faults' | 'draining' | 'over' = 'faults';
  const consumers = Array.from({ length: CONSUMERS }, (_, i) =>
    consume({
      store: stage.openStore({ version: i % 2 === 0 ? 0 : 1 }),
      history,
      chance: chance(`consumer ${i}`),
      leaseMs: LEASE_MS,
      isOver: () => phase === 'over',
      isGood: () => phase !== 'faults' || stage.mix === 'none',
    }),
  );
  const sweeping = sweepAtOnce([stage.openStore(), stage.openStore({ version: 1 })], () => phase === 'over');
  const { adminStore } = stage;
  const operating = operate({ adminStore, history, chance: chance('operator'), isOver: () => phase !== 'faults' });
  const { hasQuotas } = MIXES[stage.mix];
  const filling = hasQuotas ? stage.quotas.run(() => phase !== 'faults') : undefined;
  await produceAll(stage, lives);

  progress.say('the faults stop, and what is left is drained');
  stage.stopFaults();
  phase = 'draining';
  await filling;
  await lives.stop();
  await operating;
  await until(async () => {
    await resumeAll(adminStore); // again and again: a pause may be on its way still
    await bringForward(redisClient, root);
    return isEmpty(redisClient, root);
  });
  const seconds = (performance.now() - started) / 1_000;
  phase = 'over';
  await Promise.all([...consumers, sweeping]);
  ticker.stop();

  progress.say('two sweeps, the audit, and the recount');
  const store = stage.openStore();
  await store.sweep(PUSH_POOL);
  await store.sweep(PUSH_POOL);
  const auditFindings = await auditAll(store);
  const { dead, leftovers } = await recount(redisClient, root);
  for (const id of dead) history.record({ what: 'outcome', id, outcome: 'dead' });
  progress.stop();
  const isOrdered = (queue: string) => queue === ORDERED;
  const verdict = judge(history.events, { limitOf: (queue) => (queue === LIMITED ? LIMIT : undefined), isOrdered });
  const messagesPerSecond = Math.round(verdict.delivered / seconds);
  return {
    seed,
    verdict,
    auditFindings,
    leftovers,
    seconds: Math.round(seconds),
    messagesPerSecond,
    quotas: stage.quotas.figures(),
    stalled: stage.quotas.stalled(),
    redis: stack.redis,
    drainer: stage.drainer,
    handedOff: book.handedOff(),
    furtherLeases: book.furtherLeases(),
    furtherDrains: { ...stage.furtherDrains.figures(), ...stage.front.figures() },
  };
}

/** All producers, until the time is over or enough was begun. */
async function produceAll(stage: Stage, lives: Lives): Promise<void> {
  const { seed, seconds, messages, stack, history, book, openStore, onMoment } = stage;
  const end = performance.now() + seconds * 1_000;
  const planned = chanceFor(seed, 'messages');
  const plan = planMessages(planned);
  let begun = 0;
  let pushed = 0;
  const isOver = () => performance.now() > end || begun >= messages;
  const tides = openTidesOf(stage, { begun: () => begun, pushed: () => pushed, isOver });
  const strikes = chanceFor(seed, 'strikes');
  onMoment((moment) => {
    if (moment === 'further drain' && strikes.happens(FURTHER_STRIKES)) {
      setTimeout(lives.strike, strikes.whole(0, FURTHER_STRIKES_MS));
    } else if (moment === 'hand-off' && tides.isTurning() && strikes.happens(STRIKES)) lives.strike();
  });
  lives.spare(() => tides.isPeaceful() && !isOver());
  const mayGoOn = (word: ReturnType<Tides['mayPush']>) => {
    if (isOver()) return 'no';
    return word === 'yes' && book.open() > MOST_OPEN + STAYS_OPEN * book.stored() ? 'later' : word;
  };
  const producer = (name: string, send: Send, pulls: () => number, word: Tides['mayPush']) => {
    const chance = chanceFor(seed, name);
    const next = () => {
      const isPulled = chance.happens(pulls());
      begun += 1;
      if (!isPulled) pushed += 1;
      return plan(isPulled);
    };
    return produce({ send, plan: next, history, chance, mayGoOn: () => mayGoOn(word()) });
  };
  const pullShare = () => (tides.now() === 'burst' ? 0.8 : 1);
  const mayPull = () => (tides.now() === 'calm' || begun - pushed > pushed + PULLED_AHEAD ? 'later' : 'yes');
  const openHasty = (onUnanswered: () => void) => openStore({ repeatAfterMs: HASTY, onUnanswered });
  await Promise.all([
    tides.run(),
    ...Array.from({ length: HTTP_PRODUCERS }, (_, i) => {
      return producer(`http ${i}`, overHttp(lives.url, stack.token), () => 0, tides.mayPush);
    }),
    ...Array.from({ length: STORE_PRODUCERS }, (_, i) => {
      return producer(`store ${i}`, throughStore(openHasty), pullShare, mayPull);
    }),
  ]);
}

type Counts = Pick<TideOptions, 'begun' | 'pushed' | 'isOver'>;

function openTidesOf({ redisClient, root, book }: Stage, counts: Counts): Tides {
  const busy = [`${root}ready:*`, `${root}awake`];
  return openTides({
    ...counts,
    handedOff: () => book.handedOff().messages,
    isIdle: async () => (await redisClient.exists(...busy).catch(() => 1)) === 0,
  });
}

/** What the run itself asks, and the library never. */
const isLook = ({ commands }: FaultRequest) => commands.every(([verb]) => verb?.toLowerCase() === 'exists');

/** Where storage refuses it has answered: of anything else nobody knows whether it ran. */
function watched(send: SendToRedis, onUnanswered: () => void): SendToRedis {
  return (command) =>
    send(command).catch((error: unknown) => {
      if (!(error instanceof StorageError && error.code === 'refused')) onUnanswered();
      throw error;
    });
}

/** Sweeps of many at once, again and again, as from pingers that know nothing of each other. */
async function sweepAtOnce(versions: Store[], isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    await Promise.allSettled(
      Array.from({ length: SWEEPS_AT_ONCE }, (_, i) => versions[i % versions.length]?.sweep(PUSH_POOL)),
    );
    await sleep(TICK_MS / 2);
  }
}

/** What operators did, when Redis did it. */
function recordAdminCall(history: History, observation: Observation): void {
  const adminCall = readAdminCall(observation);
  if (adminCall?.what === 'cancelled') history.record({ what: 'outcome', id: adminCall.id, outcome: 'cancelled' });
  else if (adminCall?.what === 'redriven') {
    for (const id of adminCall.ids) history.record({ what: 'outcome', id, outcome: 'redriven' });
  } else if (adminCall) history.record(adminCall);
}

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Waits for it, but not for ever: what is still there then shows as left over. */
async function until(holds: () => Promise<boolean>, withinMs = DRAIN_WITHIN_MS): Promise<void> {
  const end = performance.now() + withinMs;
  while (!(await holds()) && performance.now() < end) await sleep(200);
}
