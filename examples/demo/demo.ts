/**
 * `npm run demo`: the main job on real input, with a crash in the middle.
 *
 * GitHub delivers 329 signed webhooks, a thousand notifications are enqueued over HTTP; twenty people sign up while the backlog is
 * worked off; the Worker is killed while it holds messages, and a new one recovers them. It fails where a message was lost
 * or overtook a more urgent one.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { runCommand } from '../../src/dev/command.ts';
import { startTicker } from '../../src/dev/cron.ts';
import { shardCount } from '../../src/dev/shards.ts';
import { type Stack, startStack } from '../../src/dev/stack.ts';
import { parseEntry } from '../../src/message/ids.ts';
import { DELIVERY_ENV, deliverOut, deliverySummary } from './deliveries.ts';
import { GITHUB_SECRET, githubSender } from './github.ts';
import { type Database, openDatabases, removeKeys } from './keys.ts';
import { monitorScenario } from './monitor.ts';
import { type Outbox, oneInFifty, startOutbox } from './outbox.ts';
import { confirmation, notifications } from './payloads.ts';
import { type HttpProducer, httpProducer, type Posted } from './producer.ts';
import { startProgress } from './progress.ts';
import { type Figures, figuresOf, gridOf, percentile, type QueueFigures, tableOf } from './report.ts';
import { nameShardOf, type ShardWatch, watchShards } from './shards.ts';

const HELP = `Usage: npm run demo [-- options]

Runs the main job end to end on this machine and exits: 0 if nothing was lost and nothing overtook, 1 otherwise.

  --scenario S  "main", or "monitor": a ring of sites, some of which fail, is checked by several Workers at once; it
                fails where a full turn left a site out or took one twice, or an outage was not alerted exactly once
  --redis URL   a real Redis (redis://host:port, or redis+cluster://host:port,…) instead of the embedded one;
                "auto" looks for a redis-server on the PATH. The demo's keys, {demo-…}:*, are removed
                when it ends by itself
  --shards N    the main job over several databases (of a Redis by URL those from that of the URL on, of a cluster as
                many hash tags): within each nothing may overtake; what does so across them is counted
  --json        print one object with the figures as the last line
  --help        this text
`;

const NOTIFICATIONS = 1_000;
const SIGN_UPS = 20;
const KILL_AFTER = 300; // notifications delivered
const LONE_MESSAGES = 20;
const LEASE_MS = 3_000; // short, so that a crash shows within the demo's time
const GIVE_UP_MS = 80_000;

const OPTIONS = {
  scenario: { type: 'string', default: 'main' },
  redis: { type: 'string' },
  shards: { type: 'string' },
  json: { type: 'boolean' },
} as const;

interface Flags {
  redis?: string | undefined;
  shards?: string | undefined;
  json?: boolean | undefined;
}

async function main(flags: Flags): Promise<void> {
  const watch = watchShards();
  const outbox = await startOutbox(oneInFifty);
  const prefix = `demo-${process.pid}-${Date.now()}`;
  const stack = await startStack({
    redis: flags.redis,
    shards: shardCount(flags.shards),
    env: {
      OUTBOX_URL: outbox.url,
      GITHUB_WEBHOOK_SECRET: GITHUB_SECRET,
      SLUICE_PREFIX: prefix,
      SLUICE_LEASE_MS: String(LEASE_MS),
      SLUICE_DRAIN_MS: '10000',
      ...DELIVERY_ENV,
    },
    emulator: (asked) => ({ observe: (observation) => watch.see(nameShard(asked, observation), observation) }),
    log: () => {}, // a killed Worker complains
  });
  const databases = openDatabases(stack.env);
  const nameShard = nameShardOf(
    stack.shards,
    databases.map(({ prefix }) => prefix),
  );
  try {
    const figures = await run({ stack, outbox, watch, databases });
    process.stderr.write(
      'Webhooks go out, signed by an old secret and a new one, to receivers that fail in every way\n',
    );
    const deliveries = await deliverOut(stack);
    console.log(`\n${tableOf(figures.queues)}\n\n${summaryOf(figures)}\n${deliverySummary(deliveries)}`);
    if (figures.shards.length > 1) console.log(`\n${tableOfShards(figures)}`);
    if (flags.json) console.log(JSON.stringify({ ...figures, deliveries }));
    const faults = [figures.lost, figures.inversions, figures.webhooks.fooled, deliveries.lost, deliveries.unverified];
    process.exitCode = faults.every((count) => count === 0) ? 0 : 1;
  } finally {
    for (const database of databases) await removeKeys(database);
    await stack.close();
    await outbox.close();
  }
}

interface Stage {
  stack: Stack;
  outbox: Outbox;
  watch: ShardWatch;
  databases: Database[];
}

async function run({ stack, outbox, watch, databases }: Stage): Promise<Figures> {
  const started = performance.now();
  let worker = await stack.startWorker();
  const ticker = startTicker(
    () => worker.tick(),
    () => {}, // a tick that the kill cut off
    2_000,
  );
  const producer = httpProducer(() => worker.url, stack.token);
  const posted: Posted[] = [];
  const arrived = () => new Set(outbox.deliveries.map(({ id }) => id));
  const progress = startProgress(() => {
    return `enqueued ${posted.length}, delivered ${arrived().size}, in leases ${watch.held()}`;
  });

  progress.say(`Redis: ${stack.redis}. One message at a time on an idle system`);
  const wakes = await wakeLatencies(producer, outbox, posted);
  const before = {
    commands: await stack.billed(),
    requests: stack.requests(),
    messages: posted.length,
  };

  progress.say('GitHub delivers 329 webhooks, some twice and some forged; an article is published to 1,000 readers');
  const sending = githubSender().sendAll(
    () => worker.url,
    (message) => posted.push(message),
  );
  for (const batch of chunks(notifications(NOTIFICATIONS), 125)) posted.push(...(await producer.postAll(batch)));
  const webhooks = await sending;

  progress.say(`${SIGN_UPS} people sign up while the backlog is worked off`);
  const signUps = (async () => {
    for (let i = 0; i < SIGN_UPS; i++) {
      posted.push(await producer.post(confirmation(i)));
      await sleep(50);
    }
  })();
  await until(() => outbox.deliveries.filter(({ queue }) => queue === 'notification.email').length >= KILL_AFTER);

  const heldWhenKilled = watch.held();
  progress.say(`the Worker is killed while it holds ${heldWhenKilled} messages, and a new one starts`);
  await worker.kill();
  worker = await stack.startWorker();
  await signUps;

  const dead = new Set<string>();
  let reads = 0; // the demo's own, taken off the bill
  await until(async () => {
    const there = arrived();
    const missing = posted.filter(({ id }) => !there.has(id) && !dead.has(id));
    for (const queue of new Set(missing.map((message) => message.queue))) {
      reads += databases.length;
      for (const id of await deadIn(databases, queue)) dead.add(id);
    }
    return missing.every(({ id }) => dead.has(id)) && watch.held() === 0;
  }, 200);
  progress.stop();
  ticker.stop();

  const queues = figuresOf(posted, outbox.deliveries, dead);
  const sum = (pick: (figures: QueueFigures) => number) =>
    Object.values(queues).reduce((total, f) => total + pick(f), 0);
  const messages = posted.length - before.messages;
  return {
    enqueued: sum(({ enqueued }) => enqueued),
    delivered: sum(({ delivered }) => delivered),
    redelivered: sum(({ redelivered }) => redelivered),
    dead: sum((figures) => figures.dead),
    lost: sum(({ lost }) => lost),
    inversions: watch.within(),
    inversionsAcross: watch.across() - watch.within(),
    shards: stack.shards.map(({ name }) => ({ name, messages: watch.messages(name) })),
    queues,
    commandsPerMessage: perMessage((await stack.billed()) - before.commands - reads, messages),
    roundTripsPerMessage: perMessage(stack.requests() - before.requests - reads, messages),
    wakeP50Ms: percentile(wakes, 0.5),
    wakeP99Ms: percentile(wakes, 0.99),
    heldWhenKilled,
    repeats: producer.repeats() + webhooks.repeats,
    webhooks,
    seconds: Math.round((performance.now() - started) / 100) / 10,
    redis: stack.redis,
  };
}

/** Dead letters of a queue, wherever they are. */
async function deadIn(databases: Database[], queue: string): Promise<string[]> {
  const letters = databases.map(({ redis, root }) => redis.zrange<string[]>(`${root}dead:${queue}`, 0, -1));
  return (await Promise.all(letters)).flat().map((entry) => parseEntry(entry).id);
}

/** From the POST to the arrival at the outbox, ms, each on a system with nothing to do. The first warms up. */
async function wakeLatencies(producer: HttpProducer, outbox: Outbox, posted: Posted[]): Promise<number[]> {
  const latencies: number[] = [];
  for (let i = 0; i <= LONE_MESSAGES; i++) {
    const start = performance.now();
    const message = await producer.post(confirmation(1_000 + i));
    posted.push(message);
    const { at, attempt } = await outbox.arrival(message.id);
    if (attempt === 1 && i > 0) latencies.push(at - start);
    await sleep(100); // until the drain has ended
  }
  return latencies;
}

function summaryOf(figures: Figures): string {
  return [
    `${figures.enqueued} enqueued, ${figures.delivered} delivered, ${figures.dead} dead, ${figures.lost} lost, in ${figures.seconds} s on ${figures.redis} Redis`,
    `GitHub: ${figures.webhooks.accepted} webhooks accepted, ${figures.webhooks.duplicates} duplicates dropped, ${figures.webhooks.refused} forged refused, ${figures.webhooks.fooled} forged accepted`,
    `${figures.inversions} overtook a more urgent one when taken`,
    `the longest waits are of messages that the killed Worker held: its lease of ${LEASE_MS / 1_000} s had to pass`,
    `${figures.heldWhenKilled} were held by the Worker that was killed; ${figures.repeats} requests were sent again`,
    `per message: ${figures.commandsPerMessage} billed Redis commands, ${figures.roundTripsPerMessage} round trips (a lone one takes 17 and 2, full batches 0.22 and 0.03)`,
    `on an idle system a message reached the outbox after ${figures.wakeP50Ms} ms (p50), ${figures.wakeP99Ms} ms (p99)`,
  ].join('\n');
}

function tableOfShards({ shards, inversionsAcross }: Figures): string {
  const rows = shards.map(({ name, messages }) => [name, String(messages)]);
  return `${gridOf(['shard', 'messages'], rows)}\n\n${inversionsAcross} overtook a more urgent one of another shard: a drain learns of it by its next look`;
}

const perMessage = (count: number, messages: number) => Math.round((count / messages) * 1_000) / 1_000;

function chunks<T>(list: T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, i) => list.slice(i * size, (i + 1) * size));
}

/** Waits for it, at most as long as the demo may take: what is missing then shows in the figures as lost. */
async function until(holds: () => boolean | Promise<boolean>, everyMs = 10): Promise<void> {
  const end = performance.now() + GIVE_UP_MS;
  while (!(await holds()) && performance.now() < end) await sleep(everyMs);
}

const SCENARIOS = new Map([
  ['main', main],
  ['monitor', monitorScenario],
]);

await runCommand(HELP, OPTIONS, async ({ scenario, ...flags }) => {
  const run = SCENARIOS.get(scenario);
  if (!run) throw new RangeError(`--scenario must be one of ${[...SCENARIOS.keys()].join(', ')}; got ${scenario}`);
  await run(flags);
});
