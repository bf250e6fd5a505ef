// The demo's load on Workers Free, where no isolate stays warm: nothing is lost, and nothing comes twice, for nobody is killed here.
import { expect, test } from 'vitest';
import { GITHUB_SECRET, githubSender } from '../../examples/demo/github.ts';
import { watchInversions } from '../../examples/demo/inversions.ts';
import { oneInFifty } from '../../examples/demo/outbox.ts';
import { confirmation, notifications } from '../../examples/demo/payloads.ts';
import { httpProducer, type Posted } from '../../examples/demo/producer.ts';
import { figuresOf } from '../../examples/demo/report.ts';
import { whatHappened } from '../../scripts/lua/observe.ts';
import { startTicker } from '../../src/dev/cron.ts';
import { eventually } from '../support/worker.ts';
import { boxed } from './deployed.ts';
import { FREE } from './limits.ts';

/** Of the demo's 329, 1,000 and 20. */
const [WEBHOOKS, READERS, SIGN_UPS] = [20, 100, 2];
const NOTHING_AMISS = { redelivered: 0, dead: 0, lost: 0 };

const inversions = watchInversions();
const box = boxed(FREE, {
  fails: oneInFifty,
  env: { GITHUB_WEBHOOK_SECRET: GITHUB_SECRET, SLUICE_DRAIN_MS: '10000' },
  emulator: {
    observe: (observation) => {
      const event = whatHappened(observation);
      if (event) inversions.see(event);
    },
  },
});

test('webhooks, a newsletter and sign-ups meanwhile: each message is delivered once', async () => {
  const { platform, outbox, stack } = box();
  const ticker = startTicker(platform.tick, () => {}, 1_000);
  const producer = httpProducer(() => platform.url, stack.token);
  const posted: Posted[] = [];
  const sending = githubSender(WEBHOOKS).sendAll(
    () => platform.url,
    (message) => posted.push(message),
  );
  posted.push(...(await producer.postAll(notifications(READERS))));
  for (let i = 0; i < SIGN_UPS; i++) posted.push(await producer.post(confirmation(i)));
  const heard = await sending;
  const arrived = () => new Set(outbox.deliveries.map(({ id }) => id)).size;
  await eventually('all have arrived', () => arrived() >= posted.length && inversions.held() === 0, 60_000);
  ticker.stop();
  const figures = figuresOf(posted, outbox.deliveries, new Set());
  expect(Object.values(figures)).toMatchObject(Object.keys(figures).map(() => NOTHING_AMISS));
  expect(posted.length).toBe(WEBHOOKS + READERS + SIGN_UPS);
  expect([heard.fooled, heard.repeats, producer.repeats(), inversions.count()]).toEqual([0, 0, 0, 0]);
  expect(platform.invocations.filter(({ refused }) => refused > 0)).toEqual([]);
}, 90_000);
