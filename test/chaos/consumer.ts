/**
 * A pull consumer, through the store: it takes, handles and settles, and sometimes behaves badly. It stalls past its lease
 * and then settles all the same, forgets everything as after a crash, or keeps part of what it holds for later.
 */
import { StorageError } from '../../src/errors.ts';
import { openEnvelope } from '../../src/message/envelope.ts';
import { newToken } from '../../src/message/ids.ts';
import type { Settlement } from '../../src/store/encode-settlements.ts';
import type { Store } from '../../src/store/store.ts';
import type { SyncAnswer } from '../../src/store/sync.ts';
import type { History } from './history.ts';
import { fateOf, keyIn, PULL_QUEUES, planChained } from './messages.ts';
import type { Chance } from './random.ts';

export interface ConsumerOptions {
  store: Store;
  history: History;
  chance: Chance;
  leaseMs: number;
  isOver: () => boolean;
  /** It does what a consumer should: neither stalls nor forgets. */
  isGood: () => boolean;
}

interface Holding {
  entry: string;
  fate: string;
  attempt: number;
}

const MOST = 100;
const STALLS = 0.02;
const FORGETS = 0.01;
const KEEPS = 0.2;
const CHAINS = 0.05;
const IDLE_MS = 50;

export async function consume(options: ConsumerOptions): Promise<void> {
  const { chance, isOver, isGood, leaseMs } = options;
  let lease = newToken();
  let held: Holding[] = [];
  while (!isOver()) {
    const kept = isGood() || chance.happens(1 - KEEPS) ? [] : held.splice(0, held.length >> 1);
    const settlements = held.map((holding) => settlementOf(holding, chance, isGood()));
    const answer = await sync(options, lease, kept.length, settlements);
    const refused = held.filter((_, i) => answer?.statuses[i] === 'refused'); // storage took none of it: it is settled again
    held = [...kept, ...refused, ...(answer?.taken ?? []).map((taken) => receive(options, lease, taken))];
    if (!answer || answer.lost || (!isGood() && chance.happens(FORGETS))) {
      held = [];
      lease = newToken();
    }
    if (!isGood() && chance.happens(STALLS)) await sleep(leaseMs * (1 + chance.next()));
    else if (held.length === 0) await sleep(IDLE_MS);
  }
}

/** Sent again until it is answered, the same each time: what it settles may be settled by now, and must not count as held. */
async function sync(
  { store, chance, leaseMs, isOver }: ConsumerOptions,
  lease: string,
  held: number,
  settlements: Settlement[],
): Promise<SyncAnswer | undefined> {
  const first = chance.whole(0, PULL_QUEUES.length - 1); // each comes first at times: the others' backlog must not starve it
  const pools = [...PULL_QUEUES.slice(first), ...PULL_QUEUES.slice(0, first)];
  const request = { lease, leaseMs, held, want: chance.whole(1, MOST), pools, settlements };
  while (!isOver()) {
    try {
      return await store.sync(request);
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      await sleep(IDLE_MS);
    }
  }
  return undefined;
}

function receive({ history }: ConsumerOptions, lease: string, taken: { entry: string; envelope: string }): Holding {
  const { id, queue, attempt, body } = openEnvelope(taken.entry, taken.envelope).message;
  const key = keyIn(queue, body);
  history.record({ what: 'delivered', id, attempt, key, lease, at: Date.now() });
  return { entry: taken.entry, fate: fateOf(key), attempt };
}

/** Most are acked, some with a message of their handler's. Some are retried, given back, or refused for good. */
function settlementOf({ entry, fate, attempt }: Holding, chance: Chance, isGood: boolean): Settlement {
  const failure = { kind: 'failed', text: 'as the key says' } as const;
  if (fate === 'doomed') return { entry, outcome: attempt === 1 ? 'retry' : 'dead', delayMs: 100, failure };
  if (fate !== 'taken' && attempt === 1) return { entry, outcome: 'retry', delayMs: chance.whole(0, 1_000), failure };
  if (!isGood && chance.happens(0.01)) return { entry, outcome: 'release', delayMs: chance.whole(0, 1) * 200 };
  return chance.happens(CHAINS) ? { entry, outcome: 'ack', chained: [planChained(chance)] } : { entry, outcome: 'ack' };
}

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
