/** What a sync carries and costs where a deployment has ten thousand queues with limits, beside one. */
import { defineQueue } from '../../../src/index.ts';
import { formatLane, PUSH_POOL } from '../../../src/message/lane.ts';
import type { Connect } from '../../../src/redis/send.ts';
import { connect } from '../../../src/redis/undici.ts';
import type { Place } from '../contender.ts';
import { jsonOf } from '../contenders/sluice-settings.ts';
import { type LimitedFigures, quantile } from '../figures.ts';
import { scriptMicros } from '../growth.ts';
import { openApi } from './api.ts';

const SYNCS = 60;
const WARM_UP = 10;
const BATCH = 10;

export async function compareLimited(
  place: Place,
  counts: number[],
  say: (step: string) => void,
): Promise<LimitedFigures[]> {
  await place.raw.flushall();
  say(`syncs of ${counts.join(' and ')} queues with limits`);
  const subjects = await Promise.all(counts.map((count) => openSubject(place, count)));
  for (let i = -WARM_UP; i < SYNCS; i++) {
    for (const subject of subjects) {
      const before = await scriptMicros(place.raw);
      await subject.sync();
      const micros = (await scriptMicros(place.raw)) - before;
      if (i >= 0) subject.micros.push(micros);
      if (i >= 0) subject.bytes.push(subject.lastBytes());
    }
  }
  const median = (values: number[]) =>
    quantile(
      values.toSorted((a, b) => a - b),
      0.5,
    );
  return subjects.map(({ queues, bytes, micros }) => ({ queues, bytes: median(bytes), micros: median(micros) }));
}

async function openSubject(place: Place, count: number) {
  let last = 0;
  const counting: Connect = (connection) => {
    const send = connect(connection);
    return (command) => {
      last = Buffer.byteLength(JSON.stringify(command));
      return send(command);
    };
  };
  const queues = Array.from({ length: count }, (_, i) =>
    defineQueue(`q${i}`, { subrequests: 0, limits: { concurrency: 1_000 }, handler: () => {} }),
  );
  const { engine } = openApi(place, { prefix: `limited${count}`, queues, connectBy: counting });
  const common = { lane: formatLane(5, 'q0'), pool: PUSH_POOL, maxAttempts: 5, delayMs: 0, ttlMs: 0 };
  const messages = Array.from({ length: (SYNCS + WARM_UP + 1) * BATCH }, (_, n) => ({ ...common, json: jsonOf(n) }));
  await engine.store.enqueue({ messages });
  let held: string[] = [];
  return {
    queues: count,
    bytes: [] as number[],
    micros: [] as number[],
    lastBytes: () => last,
    /** Settles what the one before took, and takes as many. */
    async sync() {
      const settlements = held.map((entry) => ({ entry, outcome: 'ack' as const }));
      const request = { lease: 'one', leaseMs: 60_000, held: 0, want: BATCH, pools: [PUSH_POOL], settlements };
      const drain = { ending: false, sleepMs: 0 };
      held = (await engine.store.sync({ ...request, drain })).taken.map(({ entry }) => entry);
      if (held.length !== BATCH) throw new Error(`a sync of ${count} queues took ${held.length} of ${BATCH}`);
    },
  };
}
