/** What a deployment costs a month, from the commands of a message and published prices. Pure. */
import { COUNTS, type Pattern, perMessage } from './commands.ts';
import { CLOUDFLARE_QUEUES, QSTASH, UPSTASH, WORKERS } from './prices.ts';

export interface Usage extends Pattern {
  /** A month. */
  messages: number;
  /** Of one body. */
  bytes: number;
}

export interface Estimate {
  commandsPerMessage: number;
  roundTripsPerMessage: number;
  /** Redis commands a month, with those of cron. */
  commands: number;
  /** Of them, where no message comes at all. */
  idleCommands: number;
  bandwidthGb: number;
  /** US dollars a month; undefined where the plan does not fit. */
  upstashPayAsYouGo: number;
  upstashFixed: { name: string; price: number } | undefined;
  workers: number;
  qstash: number;
  cloudflareQueues: number;
}

const DAYS = 30;
export const MONTH_S = DAYS * 86_400;
const TICKS = MONTH_S / 60;

/** A body goes to Redis once and comes back once; around it stand keys, tokens and HTTP headers. */
const WIRE_BYTES = 900;

export function estimate(usage: Usage): Estimate {
  const { messages, bytes, batch, perSecond } = usage;
  const each = perMessage(usage);
  const idleCommands = TICKS * COUNTS.idleTick;
  // Minutes with traffic, where messages come at random instants: the sweep folds the figures of each.
  const busyMinutes = TICKS * (1 - Math.exp((-60 * Math.min(perSecond, messages / MONTH_S)) / batch));
  const commands = messages * each.commands + idleCommands + busyMinutes * COUNTS.fold;
  const bandwidthGb = (messages * (2 * bytes + WIRE_BYTES * Math.min(1, each.roundTrips))) / 1e9;
  const requests = messages / batch + TICKS;
  return {
    commandsPerMessage: each.commands,
    roundTripsPerMessage: each.roundTrips,
    commands,
    idleCommands,
    bandwidthGb,
    upstashPayAsYouGo: payAsYouGo(commands, bandwidthGb),
    upstashFixed: fixedPlan(bandwidthGb, perSecond * each.commands),
    workers: workers(requests),
    qstash: qstash(messages),
    cloudflareQueues: queues(messages, bytes),
  };
}

/** What the free database serves is free: one needs no other then. */
function payAsYouGo(commands: number, bandwidthGb: number): number {
  if (commands <= UPSTASH.free.commands && bandwidthGb <= UPSTASH.free.bandwidthGb) return 0;
  return commands * UPSTASH.perCommand + Math.max(0, bandwidthGb - UPSTASH.freeBandwidthGb) * UPSTASH.perGb;
}

function fixedPlan(bandwidthGb: number, commandsPerSecond: number): Estimate['upstashFixed'] {
  if (commandsPerSecond > UPSTASH.commandsPerSecond) return undefined; // it would be slowed down
  return UPSTASH.fixed.find((plan) => plan.bandwidthGb >= bandwidthGb);
}

function workers(requests: number): number {
  if (requests <= WORKERS.free * DAYS) return 0;
  return WORKERS.price + Math.max(0, requests - WORKERS.included) * WORKERS.perRequest;
}

function qstash(messages: number): number {
  const perDay = messages / DAYS;
  if (perDay <= QSTASH.freePerDay) return 0;
  const fixed = QSTASH.fixed.find((plan) => plan.perDay >= perDay);
  return Math.min(messages * QSTASH.perMessage, fixed?.price ?? Number.POSITIVE_INFINITY);
}

function queues(messages: number, bytes: number): number {
  const operations = messages * CLOUDFLARE_QUEUES.operations * Math.ceil(Math.max(1, bytes) / 64_000);
  return WORKERS.price + Math.max(0, operations - CLOUDFLARE_QUEUES.included) * CLOUDFLARE_QUEUES.perOperation;
}
