/** What the page says of several shards, and what must hold of them. Pure. */
import { type Demand, most, times } from '../demand.ts';
import type { Results, ShardPriority, ShardRate } from '../figures.ts';
import { spread, table, whole } from '../tables.ts';

type Found = NonNullable<Results['shards']>;

/** A plan of urgent ones: twice what is taken ahead, and what one look brings. */
const MOST_BEFORE = 25;
const MOST_BEHIND = 5;

export const shardRates = ({ rates }: Pick<Found, 'rates'>) =>
  table(
    ['drain, messages/s', 'one shard', 'three shards', 'three : one'],
    rates
      .filter(({ shards }) => shards === 1)
      .map((one) => {
        const three = besides(rates, one);
        const of = `${one.ms === 0 ? 'near' : `${one.ms} ms away`}, ${one.leases === 1 ? 'one lease' : `${one.leases} leases`} each`;
        return [of, spread(one.rate), spread(three?.rate), ratio(three?.rate.median, one.rate.median)];
      }),
  );

export const shardPriorities = ({ priority }: Pick<Found, 'priority'>) =>
  table(
    [
      'urgent ones come to a backlog',
      'begun before the last urgent one',
      'of them behind the first',
      'last urgent, ms',
      'messages/s',
    ],
    priority.map(({ shards, handlerMs, before, behindFirst, lastMs, rate }) => [
      `${shards === 1 ? 'one Redis' : `${shards} shards`}, handlers of ${handlerMs} ms`,
      before.join(', '),
      behindFirst.join(', '),
      spread(lastMs),
      spread(rate),
    ]),
  );

export function awayText({ away }: Pick<Found, 'away'>): string {
  const [p50, p99] = [away.p50, away.p99].map((two) => two.map((ms) => ms.toFixed(1)).join(' → '));
  return `One of three away: an enqueue to the others takes ${p50} ms at the median and ${p99} at p99; one to its own queue is refused
after ${whole(away.firstRefusalMs)} ms at first, and later after ${away.laterRefusalMs.toFixed(1)}.`;
}

export function shardsDemands({ rates, priority, away }: Found): Demand[] {
  return [
    ...rates
      .filter(({ shards, ms }) => shards === 1 && ms > 0)
      .map((one) => {
        const what = `three shards, ${one.ms} ms away, ${one.leases} leases each : one shard`;
        return times(what, 2.8, besides(rates, one)?.rate.median, one.rate.median);
      }),
    ...priority.filter(({ shards }) => shards > 1).flatMap((some) => priorityDemands(some, priority)),
    most('enqueue to others with one shard away, p99 : with all there', 1.2, away.p99[1] / away.p99[0]),
    most('an enqueue to a shard that is away is refused within, ms', 3_000, away.firstRefusalMs, 0),
    most('the same where it is known to be away', 50, away.laterRefusalMs, 1),
  ];
}

function priorityDemands(some: ShardPriority, all: ShardPriority[]): Demand[] {
  const one = all.find(({ shards, handlerMs }) => shards === 1 && handlerMs === some.handlerMs);
  const of = `${some.shards} shards, handlers of ${some.handlerMs} ms: `;
  return [
    most(`${of}less urgent ones begun while urgent ones wait`, MOST_BEFORE, Math.max(...some.before), 0),
    most(`${of}of them behind the first urgent one`, MOST_BEHIND, Math.max(...some.behindFirst), 0),
    most(`${of}until the last urgent one : one Redis`, 1.35, some.lastMs.median / (one?.lastMs.median ?? 0), 2),
    times(`${of}all messages : one Redis`, 0.9, some.rate.median, one?.rate.median),
  ];
}

const besides = (rates: ShardRate[], { ms, leases }: ShardRate) =>
  rates.find((rate) => rate.shards === 3 && rate.ms === ms && rate.leases === leases);

const ratio = (ours: number | undefined, theirs: number) => (ours ? (ours / theirs).toFixed(2) : '–');
