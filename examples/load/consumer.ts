/** A consumer elsewhere, as the demo has one: it pulls reports, takes its time, and some fail. */
import type { Api } from './api.ts';

interface Received {
  lease: string;
  messages: { id: string; attempt: number; body: { report: string; pages: number } }[];
}

const ERRORS = [
  'the warehouse does not answer',
  'timeout after 30000 ms at shard 7',
  'no such tenant: the report has no owner',
];

const DEATHS = [
  (report: string) => `the ${report} report has no pages`,
  () => 'quota of 500 exports used up',
  (report: string) => `no template for ${report}`,
];

export async function startConsumer(
  api: Api,
  signal: AbortSignal,
  waits: (ms: number) => Promise<void>,
): Promise<void> {
  for (let turn = 0; !signal.aborted; turn++) {
    const received = (await api('POST', '/v1/receive', { queues: ['reports'], max: 6 })) as Received | undefined;
    await waits(800 + ((turn * 331) % 1_200));
    if (!received || received.messages.length === 0) continue;
    const settle = received.messages.map(({ id, attempt, body }, i) => ({ id, attempt, ...outcomeOf(turn + i, body) }));
    await api('POST', `/v1/leases/${received.lease}/settle`, { settle });
  }
}

function outcomeOf(turn: number, { report, pages }: { report: string; pages: number }): object {
  if (pages % 20 === 0) return { outcome: 'dead', error: DEATHS[(pages / 20) % 3]?.(report) };
  if (turn % 7 === 3) return { outcome: 'retry', delay: `${2 + (turn % 20)}s`, error: ERRORS[turn % ERRORS.length] };
  return { outcome: 'ack', result: { pages } };
}
