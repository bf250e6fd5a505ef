/**
 * A pull consumer over the HTTP API: it receives, handles and settles, and sometimes behaves badly. It stalls past its lease and then settles
 * all the same, forgets everything as after a crash, or keeps part of what it holds for later.
 */
import { newToken } from '../../../src/message/ids.ts';
import type { History } from '../history.ts';
import { fateOf, keyIn, PULL_QUEUES } from '../messages.ts';
import type { Chance } from '../random.ts';
import type { Deployment } from './deployment.ts';

export interface ConsumerOptions {
  deployment: Deployment;
  history: History;
  chance: Chance;
  leaseMs: number;
  isOver: () => boolean;
  /** It does what a consumer should: neither stalls nor forgets. */
  isGood: () => boolean;
}

interface Received {
  id: string;
  queue: string;
  attempt: number;
  body: unknown;
}

interface Holding {
  id: string;
  attempt: number;
  fate: string;
}

const MOST = 100;
const STALLS = 0.02;
const FORGETS = 0.01;
const KEEPS = 0.2;
const RELEASES = 0.01;
const IDLE_MS = 50;

export async function consume(options: ConsumerOptions): Promise<void> {
  const { chance, isOver, isGood, leaseMs } = options;
  let lease: string | undefined;
  let held: Holding[] = [];
  while (!isOver()) {
    const kept = isGood() || chance.happens(1 - KEEPS) ? [] : held.splice(0, held.length >> 1);
    kept.push(...held.splice(MOST)); // more than one call settles
    const answer = await (lease === undefined ? begin(options) : goOn(options, lease, kept, held));
    const { messages = [], settled = [], lost } = answer ?? {};
    if (answer) lease = answer.lease ?? lease;
    const again = held.filter((_, i) => settled[i]?.status === 'unanswered'); // their shard is away, and has them still
    held = [...kept, ...again, ...messages.map((message) => take(options, lease ?? '', message))];
    if (!answer || lost || (!isGood() && chance.happens(FORGETS))) {
      held = [];
      lease = undefined;
    }
    if (!isGood() && chance.happens(STALLS)) await sleep(leaseMs * (1 + chance.next()));
    else if (held.length === 0) await sleep(IDLE_MS);
  }
}

interface Told {
  lease?: string;
  settled?: { id: string; status: string }[];
  messages?: Received[];
  lost?: boolean;
}

function begin({ deployment, chance, leaseMs, isOver }: ConsumerOptions): Promise<Told | undefined> {
  const request = { queues: inSomeOrder(chance), max: chance.whole(1, MOST), visibility: leaseMs };
  const key = newToken();
  return persist(() => deployment.call('POST', '/v1/receive', request, key), isOver);
}

/** Sent again until it is answered, the same each time: what it settles may be settled by now, and must not count as held. */
function goOn(options: ConsumerOptions, lease: string, kept: Holding[], held: Holding[]): Promise<Told | undefined> {
  const { deployment, chance, leaseMs, isOver, isGood } = options;
  const holding = kept.map(({ id, attempt }) => `${attempt}.${id}`);
  const settle = held.map((holding) => settlementOf(holding, chance, isGood()));
  const receive = { queues: inSomeOrder(chance), max: chance.whole(1, MOST), holding };
  const request = { settle, extend: leaseMs, receive };
  return persist(() => deployment.call('POST', `/v1/leases/${lease}/settle`, request), isOver);
}

/** Each comes first at times: the others' backlog must not starve it. */
function inSomeOrder(chance: Chance): string[] {
  const first = chance.whole(0, PULL_QUEUES.length - 1);
  return [...PULL_QUEUES.slice(first), ...PULL_QUEUES.slice(0, first)];
}

async function persist(call: () => ReturnType<Deployment['call']>, isOver: () => boolean): Promise<Told | undefined> {
  while (!isOver()) {
    const answer = await call();
    if (answer && answer.status >= 400) throw new Error(`a consumer was refused: ${JSON.stringify(answer)}`);
    if (answer) return answer.body as Told;
    await sleep(IDLE_MS);
  }
  return undefined;
}

function take({ history }: ConsumerOptions, lease: string, { id, queue, attempt, body }: Received): Holding {
  const key = keyIn(queue, body);
  history.record({ what: 'delivered', id, attempt, key, lease, at: Date.now() });
  return { id, attempt, fate: fateOf(key) };
}

/** Most are acked. Some are retried, given back, or refused for good. */
function settlementOf({ id, attempt, fate }: Holding, chance: Chance, isGood: boolean) {
  const settlement = { id, attempt };
  const failed = { ...settlement, error: 'as the key says' };
  if (fate === 'doomed') return { ...failed, outcome: attempt === 1 ? 'retry' : 'dead', delay: 100 };
  if (fate !== 'taken' && attempt === 1) return { ...failed, outcome: 'retry', delay: chance.whole(0, 1_000) };
  if (!isGood && chance.happens(RELEASES)) {
    return { ...settlement, outcome: 'release', delay: chance.whole(0, 1) * 200 };
  }
  return { ...settlement, outcome: 'ack' };
}

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
