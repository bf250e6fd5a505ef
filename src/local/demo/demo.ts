/**
 * `npm run demo`: the main job on real input, with a crash in the middle.
 *
 * 329 webhook payloads and a thousand notifications are enqueued over HTTP; twenty people sign up while the backlog is
 * worked off; the Worker is killed while it holds messages, and a new one recovers them. It fails where a message was lost
 * or overtook a more urgent one.
 */
import { parseArgs } from 'node:util';
import { Redis } from '@upstash/redis';
import { startTicker } from '../cron.ts';
import { whatHappened } from '../observe.ts';
import { type Stack, startStack } from '../stack.ts';
import type { LocalWorker } from '../worker.ts';
import { watchInversions } from './inversions.ts';
import { type Outbox, startOutbox } from './outbox.ts';
import { confirmation, githubPayloads, notifications } from './payloads.ts';
import { type HttpProducer, httpProducer, type Posted } from './producer.ts';
import { startProgress } from './progress.ts';
import { type Figures, figuresOf, percentile, tableOf } from './report.ts';

const HELP = `Usage: npm run demo [-- options]

Runs the main job end to end on this machine and exits: 0 if nothing was lost and nothing overtook, 1 otherwise.

  --redis URL   a real Redis (redis://host:port, or redis+cluster://host:port,…) instead of the embedded one;
                "auto" looks for a redis-server on the PATH. The demo's keys are removed at the end
  --json        print one object with the figures as the last line
  --help        this text
`;

const NOTIFICATIONS = 1_000;
const SIGN_UPS = 20;
const KILL_AFTER = 300; // notifications delivered
const LONE_MESSAGES = 20;
const GIVE_UP_MS = 80_000;

const { values: flags } = parseArgs({
  options: { redis: { type: 'string' }, json: { type: 'boolean' }, help: { type: 'boolean' } },
});
if (flags.help) console.log(HELP);
else await main();

async function main(): Promise<void> {
  const started = performance.now();
  const inversions = watchInversions();
  const failing = new Set<string>();
  const outbox = await startOutbox((id) => failing.delete(id) || id.endsWith('7'));
  const prefix = `demo-${process.pid}-${Date.now()}`;
  const stack = await startStack({
    redis: flags.redis,
    env: {
      OUTBOX_URL: outbox.url,
      SLUICE_PREFIX: prefix,
      SLUICE_LEASE_MS: '3000', // a crash shows within the demo's time
      SLUICE_DRAIN_MS: '10000',
    },
    emulator: {
      observe: (observation) => {
        const event = whatHappened(observation);
        if (event) inversions.see(event);
      },
    },
  });
  try {
    const figures = await run(stack, outbox, prefix, inversions, started);
    console.log(`\n${tableOf(figures.queues)}\n\n${summary(figures)}`);
    if (flags.json) console.log(JSON.stringify(figures));
    process.exitCode = figures.lost === 0 && figures.inversions === 0 ? 0 : 1;
  } finally {
    await removeKeys(stack, prefix);
    await stack.close();
    await outbox.close();
  }
}
