/**
 * Metrics in Prometheus' text format: names, units and order by its conventions. Pure.
 *
 * Counters are sums since ever, so that they never fall; of the histograms' buckets every second is told, an octave each.
 */

import type { QueueReport } from '../broker/admin.ts';
import { boundMs, type Histogram, LAST_BUCKET } from '../formats/histogram.ts';
import type { HeldParcels } from '../shards/held-parcels.ts';
import type { FleetMeasurement, ShardMeasurement } from '../shards/measure.ts';
import { type Counters, OUTCOMES } from '../stats/counters.ts';
import type { Breaker } from '../store/admin-queues.ts';
import type { SourceReport } from '../webhooks/counters.ts';
import { REASONS } from '../webhooks/rejected.ts';

export interface Measurements {
  /** Epoch ms. */
  now: number;
  queues: QueueReport[];
  /** By queue. */
  totals: Map<string, Counters>;
  /** Of the queues that deliver to destinations, those that failed last: a count for each state. */
  breakers: Map<string, Record<Breaker['state'], number>>;
  sources: SourceReport[];
  sweptAt?: number;
  /** Where there are several. */
  fleet?: FleetMeasurement | undefined;
}

export function metricsText(measurements: Measurements): string {
  return [
    ...queueFamilies(measurements),
    ...deliveryFamilies(measurements.totals),
    ...otherFamilies(measurements),
    ...(measurements.fleet ? shardFamilies(measurements.fleet, measurements.now) : []),
  ].join('');
}

/** Families with one sample per queue, of what lies in it. */
function queueFamilies({ now, queues }: Measurements): string[] {
  return [
    family('sluice_queue_messages', 'gauge', 'Messages of a queue by state.', queues.flatMap(states)),
    family(
      'sluice_queue_oldest_ready_age_seconds',
      'gauge',
      'How long ago the oldest ready message was enqueued; 0 where none is ready.',
      queues.map(({ queue, oldestReadyAt = now }) => ['', { queue }, Math.max(0, now - oldestReadyAt) / 1_000]),
    ),
    family(
      'sluice_queue_paused',
      'gauge',
      'Whether no message of the queue is given out.',
      queues.map(({ queue, paused }) => ['', { queue }, Number(paused)]),
    ),
    family(
      'sluice_queue_counts_complete',
      'gauge',
      'Whether all messages of the queue were counted; 0 where there are too many lanes or timers to look at.',
      queues.map(({ queue, complete }) => ['', { queue }, Number(complete)]),
    ),
    family(
      'sluice_queue_oldest_complete',
      'gauge',
      'Whether the age of the oldest ready message is that of all; 0 where there are too many lanes to look at: it may be older.',
      queues.map(({ queue, oldestComplete }) => ['', { queue }, Number(oldestComplete)]),
    ),
    family(
      'sluice_queue_unknown',
      'gauge',
      'Whether only storage knows the queue, which holds messages and has left the code.',
      queues.map(({ queue, kind }) => ['', { queue }, Number(kind === 'unknown')]),
    ),
  ];
}

function deliveryFamilies(totals: Measurements['totals']): string[] {
  const each = [...totals];
  return [
    family(
      'sluice_deliveries_total',
      'counter',
      'Deliveries by how they ended.',
      each.flatMap(([queue, counters]) => OUTCOMES.map((outcome) => ['', { queue, outcome }, counters[outcome]])),
    ),
    family(
      'sluice_delivery_wait_seconds',
      'histogram',
      'From when a message was due to the start of its handler, first deliveries only.',
      each.flatMap(([queue, { wait }]) => histogram(queue, wait)),
    ),
    family(
      'sluice_delivery_duration_seconds',
      'histogram',
      'How long handlers ran.',
      each.flatMap(([queue, { run }]) => histogram(queue, run)),
    ),
  ];
}

/** Families of destinations, of webhook sources, and of the sweep. */
function otherFamilies({ breakers, sources, sweptAt }: Measurements): string[] {
  return [
    family(
      'sluice_destinations',
      'gauge',
      'Destinations that failed last, by what their circuit breaker does: open is left alone, closed is not yet.',
      [...breakers].flatMap(([queue, counts]) =>
        Object.entries(counts).map(([state, count]): Sample => ['', { queue, state }, count]),
      ),
    ),
    family(
      'sluice_webhooks_total',
      'counter',
      'Requests of webhook sources by what became of them.',
      sources.flatMap(webhooks),
    ),
    family(
      'sluice_last_sweep_timestamp_seconds',
      'gauge',
      'When a sweep last ran; where nothing was to be done, noted every ten minutes.',
      sweptAt === undefined ? [] : [['', {}, sweptAt / 1_000]],
    ),
  ];
}

/** What an operator of several shards has to see: one that is away, one that fills, and parcels that do not get through. */
function shardFamilies({ shards, pins }: FleetMeasurement, now: number): string[] {
  const each = (value: (measured: NonNullable<ShardMeasurement['measured']>) => number) =>
    shards.flatMap(({ shard, measured }): Sample[] => (measured ? [['', { shard }, value(measured)]] : []));
  const age = ({ oldestAt = now }: HeldParcels) => Math.max(0, now - oldestAt) / 1_000;
  return [
    family(
      'sluice_shard_up',
      'gauge',
      'Whether the shard answers. What is said of queues is without those that do not.',
      shards.map(({ shard, measured }) => ['', { shard }, Number(measured !== undefined)]),
    ),
    family(
      'sluice_shard_epoch',
      'gauge',
      'The epoch of the map that the shard has.',
      each(({ epoch }) => epoch),
    ),
    family(
      'sluice_shard_used_bytes',
      'gauge',
      'Memory in use, as the shard says.',
      each(({ usedBytes }) => usedBytes),
    ),
    family(
      'sluice_shard_commands_total',
      'counter',
      'Commands since the shard was started.',
      each(({ commands }) => commands),
    ),
    family(
      'sluice_shard_parcels',
      'gauge',
      'Parcels for other shards that wait here.',
      each(({ parcels }) => parcels.count),
    ),
    family(
      'sluice_shard_parcel_age_seconds',
      'gauge',
      'How long the oldest of them has waited; 0 where there is none.',
      each(({ parcels }) => age(parcels)),
    ),
    family(
      'sluice_shard_undelivered',
      'gauge',
      'Parcels that were given up: their shard was away for too long.',
      each(({ parcels }) => parcels.undelivered),
    ),
    family('sluice_shard_pins', 'gauge', 'What has its home elsewhere than where placement says.', [['', {}, pins]]),
  ];
}

/** What stands behind the family's name, labels, value. */
type Sample = [suffix: string, labels: Record<string, string>, value: number];

function family(name: string, type: string, help: string, samples: Sample[]): string {
  const lines = samples.map(([suffix, labels, value]) => `${name}${suffix}${labelsText(labels)} ${value}`);
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines, ''].join('\n');
}

/** Values are names of queues and sources, and words of ours: none has anything to escape. */
function labelsText(labels: Record<string, string>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${value}"`);
  return pairs.length > 0 ? `{${pairs.join(',')}}` : '';
}

function states({ queue, ready, delayed, leased, dead }: QueueReport): Sample[] {
  const waiting = Object.values(ready).reduce((sum, count) => sum + count, 0);
  const counts = { ready: waiting, delayed, leased, dead };
  return Object.entries(counts).map(([state, count]) => ['', { queue, state }, count]);
}

/** What was taken in, in the words of the API, and why the others were not: all outcomes there are, so that each begins at 0. */
function webhooks({ source, accepted, duplicates, ignored, handshakes, rejected }: SourceReport): Sample[] {
  const taken = Object.entries({ accepted, duplicates, ignored, handshakes });
  const refused = REASONS.map((reason) => [`rejected_${reason}`, rejected[reason] ?? 0] as const);
  return [...taken, ...refused].map(([outcome, count]) => ['', { source, outcome }, count]);
}

/** A queue that never measured anything has no histogram: most would be of pull queues. */
function histogram(queue: string, { counts, count, sumMs }: Histogram): Sample[] {
  if (count === 0) return [];
  const samples: Sample[] = [];
  let below = 0;
  for (let bucket = 0; bucket < LAST_BUCKET; bucket++) {
    below += counts[bucket] ?? 0;
    if (bucket % 2 === 0) samples.push(['_bucket', { queue, le: String(boundMs(bucket) / 1_000) }, below]);
  }
  return [
    ...samples,
    ['_bucket', { queue, le: '+Inf' }, count],
    ['_sum', { queue }, sumMs / 1_000],
    ['_count', { queue }, count],
  ];
}
