/**
 * How long a standing backlog takes, of which each message is one fetch that is answered after a while: one tick of cron, then one each minute, no arrivals.
 * Drains start others in Durable Objects, by the deployment's own URL, or not at all; or on Workers Free's limits.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buildBundle } from '../../src/dev/bundle.ts';
import { runCommand } from '../../src/dev/command.ts';
import { startTicker } from '../../src/dev/cron.ts';
import { type Stack, startStack } from '../../src/dev/stack.ts';
import { formatLane } from '../../src/message/lane.ts';
import { openShard } from '../../src/redis/shard.ts';
import { openStore } from '../../src/store/store.ts';
import { FREE } from '../platform/limits.ts';
import { openPlatform } from '../platform/platform.ts';
import { freePort } from '../support/redis-server.ts';

const HELP = `Usage: npx node test/bench/fan-out.ts [options]

Puts a backlog of messages of one fetch each in, ticks, and says when the last was delivered.

  --by objects|url|free|nothing   who starts further drains: Durable Objects, the own URL, the same within the limits of Workers
                                  Free, or nobody (url)
  --messages N    in the backlog (10000)
  --drainers N    SLUICE_DRAINERS (16)
  --answer MS     after which each fetch is answered (100)
  --redis URL     see npm run demo
  --help          this text
`;

const OPTIONS = {
  by: { type: 'string', default: 'url' },
  messages: { type: 'string', default: '10000' },
  drainers: { type: 'string', default: '16' },
  answer: { type: 'string', default: '100' },
  redis: { type: 'string', default: 'auto' },
} as const;

const AT_ONCE = 1_000;
const MOST_MS = 900_000;
const QUEUE = 'github.activity';

await runCommand(HELP, OPTIONS, async ({ by, messages, drainers, answer, redis }) => {
  const count = Number(messages);
  const receiver = await startReceiver(Number(answer));
  const port = await freePort();
  const isFree = by === 'free';
  const stack = await startStack({
    redis,
    bundle: await buildBundle(),
    drainer: by === 'objects',
    env: {
      OUTBOX_URL: receiver.url,
      SLUICE_DRAINERS: drainers,
      ...(isFree ? { SLUICE_DRAIN_REQUESTS: '45' } : {}),
      ...(by === 'url' ? { SLUICE_URL: `http://127.0.0.1:${port}` } : {}),
    },
  });
  const { tick, invocations, close } = isFree ? await openFree(stack) : await openWorker(stack, port);
  try {
    await put(stack, count);
    const begun = performance.now();
    const ticking = tick().catch(console.error);
    const ticker = startTicker(tick, console.error);
    while (receiver.ids().size < count && performance.now() - begun < MOST_MS)
      await new Promise((resolve) => setTimeout(resolve, 20));
    const seconds = (performance.now() - begun) / 1_000;
    ticker.stop();
    const twice = receiver.requests() - receiver.ids().size;
    const figures = {
      by,
      messages: receiver.ids().size,
      seconds: Number(seconds.toFixed(1)),
      twice,
      atOnce: receiver.most(),
    };
    console.log(JSON.stringify({ ...figures, ...invocations() }));
    await ticking;
  } finally {
    await close();
    await stack.close();
    receiver.close();
  }
});

async function openWorker(stack: Stack, port: number) {
  const worker = await stack.startWorker(port);
  return { tick: () => worker.tick(), invocations: () => ({}), close: async () => worker.kill() };
}

async function openFree({ env }: Stack) {
  const platform = await openPlatform({ ...FREE, bundle: await buildBundle(), env, knowsUrl: true });
  const invocations = () => ({
    invocations: platform.invocations.length,
    mostSubrequests: Math.max(0, ...platform.invocations.map(({ subrequests }) => subrequests)),
    refused: platform.invocations.reduce((sum, { refused }) => sum + refused, 0),
  });
  return { tick: () => platform.tick(), invocations, close: () => platform.close() };
}

/** Past the Worker: nobody is woken. */
async function put({ env }: Stack, count: number): Promise<void> {
  const { UPSTASH_REDIS_REST_URL: url = '', UPSTASH_REDIS_REST_TOKEN: token = '' } = env;
  const store = openStore(openShard({ connection: { url, token, timeoutMs: 10_000 }, prefix: 'sluice' }));
  const message = { lane: formatLane(7, QUEUE), pool: '*', maxAttempts: 5, delayMs: 0, ttlMs: 0, json: '{"body":0}' };
  for (let left = count; left > 0; left -= AT_ONCE) {
    await store.enqueue({ messages: Array.from({ length: Math.min(AT_ONCE, left) }, () => message), wake: false });
  }
}

async function startReceiver(answerMs: number) {
  const ids = new Set<string>();
  let requests = 0;
  let atOnce = 0;
  let most = 0;
  const server = createServer((request, response) => {
    let text = '';
    atOnce += 1;
    most = Math.max(most, atOnce);
    request.on('data', (part) => {
      text += part;
    });
    request.on('end', () => {
      requests += 1;
      ids.add((JSON.parse(text) as { id: string }).id);
      setTimeout(() => {
        atOnce -= 1;
        response.end();
      }, answerMs);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ids: () => ids,
    requests: () => requests,
    most: () => most,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
