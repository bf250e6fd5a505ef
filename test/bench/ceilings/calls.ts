/** How long each call of the API takes, on shards of every size in turn, against that of the smallest. */
import { defineQueue } from '../../../src/index.ts';
import { makeKeys } from '../../../src/redis/keys.ts';
import { audit } from '../../../src/store/audit.ts';
import { bodyOf, type Place } from '../contender.ts';
import type { CallTimes } from '../figures.ts';
import { quantile } from '../figures.ts';
import type { Shard } from '../shard.ts';
import { type Api, openApi, TICK_DRAINS } from './api.ts';

const QUEUE = 'q0';

interface Subject {
  shard: Shard;
  api: Api;
  newest: string;
  tries: number;
}

interface Call {
  name: string;
  make(subject: Subject): Promise<unknown>;
}

const messages = (state: string) => ({
  name: `list ${state}`,
  make: ({ api }: Subject) => api.call('GET', `/v1/queues/${QUEUE}/messages?state=${state}&limit=20`),
});

/** In this order a round leaves a shard as it was, but for one message in its middle. */
const CALLS: Call[] = [
  {
    name: 'enqueue one',
    async make(subject) {
      const path = `/v1/queues/${QUEUE}/messages`;
      subject.newest = (await subject.api.call<{ id: string }>('POST', path, { body: bodyOf(0) })).id;
    },
  },
  { name: 'get the newest', make: ({ api, newest }) => api.call('GET', `/v1/messages/${newest}`) },
  { name: 'cancel the newest', make: ({ api, newest }) => api.call('DELETE', `/v1/messages/${newest}`) },
  {
    name: 'enqueue one for tomorrow',
    async make(subject) {
      const path = `/v1/queues/${QUEUE}/messages`;
      subject.newest = (await subject.api.call<{ id: string }>('POST', path, { body: bodyOf(0), delay: '1d' })).id;
    },
  },
  { name: 'get it', make: ({ api, newest }) => api.call('GET', `/v1/messages/${newest}`) },
  { name: 'cancel it', make: ({ api, newest }) => api.call('DELETE', `/v1/messages/${newest}`) },
  { name: 'get one in the middle', make: async (subject) => get(subject, middleOf(subject)) },
  { name: 'counts of the queue', make: ({ api }) => api.call('GET', `/v1/queues/${QUEUE}`) },
  { name: 'counts of all queues', make: ({ api }) => api.call('GET', '/v1/queues') },
  ...['ready', 'delayed', 'leased', 'dead'].map(messages),
  // A call over HTTP takes as many of these pages as its time allows.
  { name: 'audit, its first page', make: ({ api }) => audit(api.engine.store, '0', false) },
  { name: 'deep audit, its first page', make: ({ api }) => audit(api.engine.store, '0', false, true) },
  { name: 'sweep', make: ({ api }) => api.call('POST', '/v1/sweep') },
  { name: `tick, with a drain of ${TICK_DRAINS}`, make: ({ api }) => api.engine.tick(true) },
];

/** It may have been drained or dropped meanwhile: that is an answer too. */
const get = ({ api }: Subject, id: string) => api.call('GET', `/v1/messages/${id}`).catch(() => {});

function middleOf({ shard: { ids, size }, tries }: Subject): string {
  const alive = Math.min(ids.length, Math.ceil(size / 1_000));
  return ids[ids.length - Math.ceil(alive / 2) - (tries % Math.max(1, Math.floor(alive / 4)))] ?? '';
}

export async function timeCalls(
  place: Place,
  shards: Shard[],
  rounds: number,
  say: (step: string) => void,
): Promise<CallTimes[]> {
  const queue = defineQueue(QUEUE, { subrequests: 0, handler: () => {} });
  const subjects = shards.map((shard): Subject => {
    return { shard, api: openApi(place, { prefix: shard.prefix, queues: [queue] }), newest: '', tries: 0 };
  });
  const times = CALLS.map(() => subjects.map((): number[] => []));
  for (let round = -3; round < rounds; round++) {
    say(`each call, round ${Math.max(0, round + 1)} of ${rounds}`);
    for (const [nth, call] of CALLS.entries()) {
      for (let turn = 0; turn < subjects.length; turn++) {
        const at = (turn + round + 3) % subjects.length;
        const subject = subjects[at] as Subject;
        const ms = await timed(place, subject, call);
        if (round >= 0) times[nth]?.[at]?.push(ms);
      }
    }
    for (const subject of subjects) await subject.shard.put(TICK_DRAINS);
  }
  const median = (values: number[]) =>
    quantile(
      values.toSorted((a, b) => a - b),
      0.5,
    );
  return CALLS.map(({ name }, at) => ({
    call: name,
    ms: shards.map(({ size }, i) => ({ size, ms: median(times[at]?.[i] ?? []) })),
  }));
}

async function timed({ raw }: Place, subject: Subject, { make }: Call): Promise<number> {
  await raw.set(makeKeys(subject.shard.prefix).awake, 'bench'); // as if somebody were draining: what comes in wakes nobody
  subject.tries += 1;
  const start = performance.now();
  await make(subject);
  return performance.now() - start;
}
