/**
 * The demo's deliveries: signed webhooks go out to receivers that take them, take them late, or never do.
 *
 * The secrets are being synced: some receivers know the new one, some the old.
 */
import { randomBytes } from 'node:crypto';
import { startTicker } from '../../src/dev/cron.ts';
import type { Stack } from '../../src/dev/stack.ts';
import { type HttpMessage, httpProducer } from './producer.ts';
import { type Receiver, startReceiver } from './receiver.ts';

export interface DeliveryFigures {
  enqueued: number;
  /** Taken by their receivers. */
  delivered: number;
  /** Attempts after the first. */
  retried: number;
  dead: number;
  lost: number;
  /** Receivers that a circuit breaker was seen to leave alone for a while. */
  leftAlone: number;
  /** Attempts whose signature the package `standardwebhooks` did not take. */
  unverified: number;
  seconds: number;
}

const secret = () => `whsec_${randomBytes(32).toString('base64')}`;
const [FRESH, OLD] = [secret(), secret()];

/** What the Worker needs to sign. */
export const DELIVERY_ENV = { WEBHOOK_OUT_SECRETS: `${FRESH} ${OLD}` };

const QUEUE = 'webhook.out';

/** Each has its own origin, and so its own lane and its own limit. */
const PARTIES: { query: string; count: number; options?: object; timeout?: string }[] = [
  { query: '', count: 60 },
  { query: '?fail=500&times=1', count: 12 },
  { query: '?fail=429&retry-after=1&times=1', count: 12 },
  { query: '?fail=hang', count: 4, timeout: '300ms', options: { maxAttempts: 2 } },
  { query: '?fail=302&location=/elsewhere', count: 8, options: { maxAttempts: 2 } },
  { query: '?fail=410', count: 8 },
];
const GIVE_UP_MS = 20_000;

export async function deliverOut(stack: Stack): Promise<DeliveryFigures> {
  const start = performance.now();
  const receivers = await Promise.all(PARTIES.map((_, i) => startReceiver([i % 2 === 0 ? FRESH : OLD])));
  const worker = await stack.startWorker();
  const ticker = startTicker(worker.tick, () => {}, 1_000);
  try {
    const messages = PARTIES.flatMap(({ count, ...party }, i) =>
      Array.from({ length: count }, (_, n) => messageTo(`${receivers[i]?.url}/${party.query}`, n, party)),
    );
    await httpProducer(() => worker.url, stack.token).postAll(messages);
    const leftAlone = new Set<string>();
    let figures = figuresOf(messages.length, receivers, leftAlone, 0, start);
    while (figures.lost > 0 && performance.now() - start < GIVE_UP_MS) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      for (const group of await openBreakers(worker.url, stack.token)) leftAlone.add(group);
      figures = figuresOf(messages.length, receivers, leftAlone, await deadLetters(worker.url, stack.token), start);
    }
    return figures;
  } finally {
    ticker.stop();
    await worker.kill();
    await Promise.all(receivers.map((receiver) => receiver.close()));
  }
}

function messageTo(
  url: string,
  n: number,
  { options, timeout }: { options?: object; timeout?: string },
): HttpMessage & { destination: unknown } {
  const destination = timeout ? { url, timeout } : url;
  return { queue: QUEUE, body: { type: 'article.published', article: n }, destination, ...options };
}

/** Lost is what nobody took and is no dead letter: what still waits, until it is all done. */
function figuresOf(
  enqueued: number,
  receivers: Receiver[],
  leftAlone: Set<string>,
  dead: number,
  start: number,
): DeliveryFigures {
  const arrived = receivers.flatMap((receiver) => receiver.arrived);
  const delivered = new Set(arrived.filter(({ taken }) => taken).map(({ id }) => id)).size;
  return {
    enqueued,
    delivered,
    retried: arrived.filter(({ attempt }) => attempt > 1).length,
    dead,
    lost: enqueued - delivered - dead,
    leftAlone: leftAlone.size,
    unverified: arrived.filter(({ verified }) => !verified).length,
    seconds: Math.round((performance.now() - start) / 100) / 10,
  };
}

async function deadLetters(url: string, token: string): Promise<number> {
  const answer = await fetch(`${url}/v1/queues/${QUEUE}`, { headers: { authorization: `Bearer ${token}` } });
  return ((await answer.json()) as { dead: number }).dead;
}

async function openBreakers(url: string, token: string): Promise<string[]> {
  const answer = await fetch(`${url}/v1/destinations`, { headers: { authorization: `Bearer ${token}` } });
  const { destinations } = (await answer.json()) as { destinations: { group?: string; state: string }[] };
  return destinations.filter(({ state }) => state === 'open').map(({ group = '' }) => group);
}

export function deliverySummary(figures: DeliveryFigures): string {
  const { enqueued, delivered, retried, dead, lost, leftAlone, unverified, seconds } = figures;
  const signatures = unverified === 0 ? 'every signature verified' : `${unverified} signatures did not verify`;
  return `webhooks out: ${enqueued} enqueued, ${delivered} delivered, ${retried} attempts repeated, ${dead} dead, ${lost} lost, ${leftAlone} receivers left alone for a while, ${signatures}, in ${seconds} s`;
}
