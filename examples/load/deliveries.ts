/** Webhooks to three partners, as the demo has them: one always takes its own, one is away at times, one is down for good. */
import type { Api } from './api.ts';
import { PARTNERS } from './world.ts';

const EVERY_MS = 1_100;
/** The breaker keeps them waiting; what is not delivered within it dies, so that the queue of who is down stays short. */
const TTL = '4m';

export async function sendDeliveries(
  api: Api,
  world: string,
  signal: AbortSignal,
  waits: (ms: number) => Promise<void>,
): Promise<void> {
  for (let turn = 0; !signal.aborted; turn++) {
    const group = turn % 12 === 0 ? PARTNERS.down : turn % 3 === 0 ? PARTNERS.flaky : PARTNERS.sound;
    const body = { event: turn % 5 === 0 ? 'order.refunded' : 'order.paid', order: 10_000 + turn };
    const message = { body, group, ttl: TTL, destination: `${world}/${group}` };
    await api('POST', '/v1/queues/webhook.out/messages', message);
    await waits(EVERY_MS);
  }
}
