/** Does Sluice get slower as there is more of something? Drains and single enqueues at each size; the slope is the result. */
import type { Place } from './contender.ts';
import { type GrowthLine, type GrowthPoint, quantile, spreadOf } from './figures.ts';
import { openShard, type Shape, type Shard } from './shard.ts';

export interface Dimension {
  name: string;
  sizes: number[];
  shape(size: number): Shape;
}

const upTo = (most: number, from: number) => {
  const sizes = [];
  for (let size = from; size <= most; size *= 10) sizes.push(size);
  return sizes;
};

/** @param scale 1, or less for a quick look: the largest sizes become that much smaller */
function dimensionsOf(scale: number): Dimension[] {
  return [
    { name: 'backlog', sizes: upTo(1_000_000 * scale, 1_000), shape: (ready) => ({ ready, drained: 1_000 }) },
    { name: 'queues', sizes: upTo(10_000 * scale, 1), shape: (queues) => ({ ready: 100_000 * scale, queues }) },
    { name: 'groups', sizes: upTo(100_000 * scale, 1), shape: (groups) => ({ ready: 100_000 * scale, groups }) },
    { name: 'in flight', sizes: [1, ...upTo(100_000 * scale, 1_000)], shape: (leased) => ({ ready: 10_000, leased }) },
    {
      name: 'delayed',
      sizes: [1, ...upTo(1_000_000 * scale, 1_000)],
      shape: (delayed) => ({ ready: 10_000, delayed }),
    },
  ];
}

export async function measureGrowth(
  place: Place,
  { rounds, scale }: { rounds: number; scale: number },
  say: (step: string) => void,
): Promise<GrowthLine[]> {
  const lines: GrowthLine[] = [];
  for (const dimension of dimensionsOf(scale)) {
    const shards = await fillShards(place, dimension, say);
    lines.push(await measureDimension(place, dimension.name, shards, rounds, say));
  }
  return lines;
}

/** A shard of each size, side by side in an empty Redis. */
export async function fillShards(
  place: Place,
  { name, sizes, shape }: Dimension,
  say: (step: string) => void,
): Promise<Shard[]> {
  await place.raw.flushall();
  const shards: Shard[] = [];
  for (const size of sizes) {
    say(`growth, ${name}: filling ${size.toLocaleString('en-US')}`);
    shards.push(await openShard(place, `${name.replace(' ', '-')}.${size}`, size, shape(size)));
  }
  return shards;
}

export async function measureDimension(
  place: Place,
  name: string,
  shards: Shard[],
  rounds: number,
  say: (step: string) => void,
): Promise<GrowthLine> {
  for (let round = -1; round < rounds; round++) {
    // one to warm up
    say(`growth, ${name}: round ${round + 1} of ${rounds}`);
    for (let turn = 0; turn < shards.length; turn++) {
      await measureShard(place, shards[(turn + round + 1) % shards.length] as Shard, round >= 0);
    }
  }
  return { dimension: name, points: shards.map(pointOf) };
}

async function measureShard({ raw }: Place, shard: Shard, counts: boolean): Promise<void> {
  const times = await shard.enqueueSome();
  const before = await scriptMicros(raw);
  const ms = await shard.drain();
  const micros = (await scriptMicros(raw)) - before;
  const refillMs = await shard.refill();
  if (!counts) return;
  shard.times.push(...times);
  shard.server.push(micros / shard.drained);
  shard.rates.push((shard.drained / ms) * 1_000);
  shard.refills.push((shard.drained / refillMs) * 1_000);
}

export async function scriptMicros(raw: Place['raw']): Promise<number> {
  return Number(/cmdstat_evalsha:calls=\d+,usec=(\d+)/.exec(await raw.info('commandstats'))?.[1] ?? 0);
}

function pointOf({ size, rates, refills, times, server }: Shard): GrowthPoint {
  const sorted = times.toSorted((a, b) => a - b);
  return {
    size,
    rate: spreadOf(rates),
    bulk: spreadOf(refills),
    serverMicros: spreadOf(server).median,
    p50: quantile(sorted, 0.5),
    p99: quantile(sorted, 0.99),
  };
}
