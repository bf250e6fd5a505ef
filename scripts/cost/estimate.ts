/** What a deployment costs a month, from the commands of a message and published prices. Pure. */
import { COUNTS, type Pattern, perMessage } from './commands.ts';
import { cloudflareQueues, qstash, vercelQueues } from './instead.ts';
import { type Logs, logs, workers } from './platform.ts';
import { UPSTASH } from './prices.ts';

export interface Usage extends Pattern {
  /** A month. */
  messages: number;
  /** Of one body. */
  bytes: number;
  /** Between two ticks of cron. */
  cronMinutes: number;
}

export interface Estimate {
  commandsPerMessage: number;
  roundTripsPerMessage: number;
  /** Redis commands a month, with those of cron. */
  commands: number;
  /** Of them, where no message comes at all. */
  idleCommands: number;
  bandwidthGb: number;
  /** US dollars a month for all databases; undefined where the plan does not fit. */
  upstashPayAsYouGo: number;
  /** The plan that each database has, and the price of all of them. */
  upstashFixed: { name: string; price: number } | undefined;
  workers: number;
  logs: Logs;
  qstash: number;
  cloudflareQueues: number;
  vercelQueues: number;
}

export const DAYS = 30;
export const MONTH_S = DAYS * 86_400;

/** A body goes to Redis once and comes back once; around it stand keys, tokens and HTTP headers. */
const WIRE_BYTES = 900;

export function estimate(usage: Usage): Estimate {
  const { messages, bytes, batch, perSecond, cronMinutes, shards = 1 } = usage;
  const each = perMessage(usage);
  const ticks = MONTH_S / 60 / cronMinutes;
  const idleCommands = shards * ticks * COUNTS.idleTick;
  // Ticks after traffic, where messages come at random instants: the sweep of each shard rolls up the counters of each.
  const requestsPerSecond = Math.min(perSecond, messages / MONTH_S) / shards / batch;
  const busy = shards * ticks * (1 - Math.exp(-60 * cronMinutes * requestsPerSecond));
  const commands = messages * each.commands + idleCommands + busy * COUNTS.rollup;
  const bandwidthGb = (messages * (2 * bytes + WIRE_BYTES * Math.min(1, each.roundTrips))) / 1e9;
  const requests = messages / batch + ticks;
  const perDay = messages / DAYS;
  return {
    commandsPerMessage: each.commands,
    roundTripsPerMessage: each.roundTrips,
    commands,
    idleCommands,
    bandwidthGb,
    upstashPayAsYouGo: payAsYouGo(commands, bandwidthGb, shards),
    upstashFixed: fixedPlan(bandwidthGb, perSecond * each.commands, shards),
    workers: workers(requests, DAYS),
    logs: logs(requests, DAYS),
    qstash: qstash(perDay, DAYS),
    cloudflareQueues: cloudflareQueues(perDay, DAYS, bytes),
    vercelQueues: vercelQueues(perDay, DAYS, bytes),
  };
}

/**
 * @param usage but how many: they are spread evenly over the month
 * @returns so many messages a month the free database bears, of several shards that which is; with the next one it refuses everything
 *   until the month ends
 */
export function mostFree(usage: Omit<Usage, 'messages' | 'perSecond'>): number {
  const { shards = 1 } = usage;
  const isFree = (messages: number) => {
    const { commands, bandwidthGb } = estimate({ ...usage, messages, perSecond: messages / MONTH_S });
    return isWithinFree(commands / shards, bandwidthGb / shards);
  };
  if (!isFree(0)) return 0;
  let [bears, ends] = [0, UPSTASH.free.commands * 100 * shards]; // no message takes a hundredth of a command
  while (ends - bears > 1) {
    const between = Math.floor((bears + ends) / 2);
    if (isFree(between)) bears = between;
    else ends = between;
  }
  return bears;
}

const isWithinFree = (commands: number, bandwidthGb: number) =>
  commands <= UPSTASH.free.commands && bandwidthGb <= UPSTASH.free.bandwidthGb;

/** What the free database serves is free. An account has one: each further shard pays from its first command. */
function payAsYouGo(commands: number, bandwidthGb: number, shards: number): number {
  const [ofEach, gbOfEach] = [commands / shards, bandwidthGb / shards];
  const price = ofEach * UPSTASH.perCommand + Math.max(0, gbOfEach - UPSTASH.freeBandwidthGb) * UPSTASH.perGb;
  const paying = isWithinFree(ofEach, gbOfEach) ? shards - 1 : shards;
  return paying * price + Math.max(0, paying - UPSTASH.databases) * UPSTASH.perDatabase;
}

function fixedPlan(bandwidthGb: number, commandsPerSecond: number, shards: number): Estimate['upstashFixed'] {
  if (commandsPerSecond / shards > UPSTASH.commandsPerSecond) return undefined; // it would be slowed down
  const plan = UPSTASH.fixed.find((fixed) => fixed.bandwidthGb >= bandwidthGb / shards);
  return plan && { name: plan.name, price: shards * plan.price };
}
