// docs/cost.md cannot age: each of its figures is computed here from the counts and prices, and no other stands there.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ASIDE, BOTH, COUNTS, enqueueOf, leastPerMessage, perMessage } from '../scripts/cost/commands.ts';
import { DAYS, estimate, MONTH_S, mostFree } from '../scripts/cost/estimate.ts';
import { cloudflareQueues, qstash, vercelQueues } from '../scripts/cost/instead.ts';
import { drainers } from '../scripts/cost/platform.ts';
import {
  CLOUDFLARE_QUEUES,
  DURABLE_OBJECTS,
  LOGS,
  QSTASH,
  UPSTASH,
  VERCEL_QUEUES,
  WORKERS,
} from '../scripts/cost/prices.ts';

const flowing = (text: string) => text.replaceAll(/\s+/g, ' ');
const [body = ''] = readFileSync('docs/cost.md', 'utf8').split('## Where prices come from');
const usage = { batch: 1, bytes: 260, roundTripMs: 6, cronMinutes: 1 };
const evenly = (messages: number, batch = 1) => estimate({ ...usage, batch, messages, perSecond: messages / MONTH_S });

const whole = (count: number) => Math.floor(count).toLocaleString('en-US');
const cents = (dollars: number) => `$${dollars.toFixed(2)}`;
/** Where nothing is to pay at all, as the table has it. */
const dollars = (price: number) => (price === 0 ? '$0' : cents(price));

/** The first table's row of so many messages. */
function rowOf(name: string, messages: number, batch: number): string {
  const found = evenly(messages, batch);
  const prices = [found.workers, found.logs.price ?? 0, found.qstash, found.cloudflareQueues, found.vercelQueues];
  return `| ${[
    name,
    batch,
    found.commandsPerMessage.toFixed(2),
    cents(found.upstashPayAsYouGo),
    `$${found.upstashFixed?.price}`,
    ...prices.map(dollars),
  ].join(' | ')} |`;
}

/** The second table's row of so many messages a second. */
function speedOf(name: string, perSecond: number): string {
  const { commands } = perMessage({ ...usage, perSecond });
  return `| ${name} | ${commands.toFixed(1)} | ${Math.round(commands * 1e6 * UPSTASH.perCommand)} |`;
}

const { thousand, takeHundred, emptyReceive, dedup } = ASIDE;
const idle = evenly(0);
const lone = COUNTS.enqueue + COUNTS.emptyLane;
const handed = COUNTS.handOff + COUNTS.settle;
const ends = mostFree(usage);
const slower = mostFree({ ...usage, cronMinutes: 2 });

const on = (shards: number, messages: number) =>
  estimate({ ...usage, shards, messages, perSecond: messages / MONTH_S });
const onThree = perMessage({ ...usage, shards: 3, perSecond: 1e-9 }).commands;

const TOLD = [
  rowOf('10k', 1e4, 1),
  rowOf('10k', 1e4, 100),
  rowOf('100k', 1e5, 1),
  rowOf('1M', 1e6, 1),
  rowOf('1M', 1e6, 100),
  rowOf('100M', 1e8, 1),
  rowOf('100M', 1e8, 100),
  `Above ${whole((UPSTASH.fixed[0].price ?? 0) / UPSTASH.perCommand)} commands a month a fixed plan is cheaper`,
  `${whole(QSTASH.freePerDay * DAYS)} messages a month with QStash`,
  `${whole((CLOUDFLARE_QUEUES.freePerDay * DAYS) / CLOUDFLARE_QUEUES.operations)} with Cloudflare Queues`,
  `${whole(VERCEL_QUEUES.included / VERCEL_QUEUES.operations)} with Vercel Queues`,
  `${whole(UPSTASH.free.commands)} commands a month are free. Cron takes ${whole(idle.idleCommands)} of them`,
  `${whole(ends)} messages a month, ${whole(ends / DAYS)} a day, one by one`,
  `in batches of a hundred it is ${whole(mostFree({ ...usage, batch: 100 }))}`,
  `it ends at ${whole(slower)} messages, ${whole(slower / DAYS)} a day`,
  `costs ${whole(idle.idleCommands)} commands: cron asks once a minute, ${COUNTS.idleTick} commands`,
  `${cents(idle.commands * UPSTASH.perCommand)} on pay as you go`,
  `${whole(MONTH_S / 60 / DAYS)} requests a day of the ${whole(WORKERS.free)} that Workers Free allows`,
  `A tick after traffic costs ${COUNTS.rollup} more`,
  `${emptyReceive} commands for an empty receive`,
  `costs ${handed} commands: ${COUNTS.handOff} to enqueue, which puts it into the hands of the drain that it wakes, and ${COUNTS.settle} to settle`,
  `${COUNTS.enqueue} or ${lone} to enqueue, and ${BOTH} for a sync that settles`,
  `each costs ${perMessage({ ...usage, perSecond: 1e4 }).commands.toFixed(1)} commands, ${leastPerMessage(1).toFixed(1)} where syncs take a hundred`,
  `costs ${lone + COUNTS.take + COUNTS.settle} commands, ${lone} to enqueue, ${COUNTS.take} to take and ${COUNTS.settle} to settle`,
  `${((thousand.enqueue + thousand.drain) / 1_000).toFixed(2)} in batches of a hundred`,
  speedOf('alone', 1e-9),
  speedOf('10', 10),
  speedOf('100', 100),
  speedOf('1,000', 1_000),
  speedOf('10,000', 10_000),
  `an estimated ${LOGS.recordBytes / 1_000} KB a record`,
  `${LOGS.freeGbPerDay} GB a day are kept, some ${whole((LOGS.freeGbPerDay * 1e9) / LOGS.recordBytes)} records`,
  `${LOGS.includedGb} GB a month are included, then $${LOGS.perGb} a GB, and ${cents(LOGS.perGbMonth)} for a GB`,
  `kept for ${LOGS.keptDays} days, and ${LOGS.includedGbMonths} GB are included`,
  `${whole(drainers(1, DAYS).gbSeconds)} GB-s, within the ${whole(DURABLE_OBJECTS.includedGbSeconds)} that`,
  `a second one beside it costs ${cents(drainers(2, DAYS).price)}`,
  `each further ${cents(drainers(3, DAYS).price - drainers(2, DAYS).price)}`,
  `${whole(DURABLE_OBJECTS.freePerDay)} GB-s a day, which is one object for ${Math.floor(DURABLE_OBJECTS.freePerDay / DURABLE_OBJECTS.gb / 3_600)} hours`,
  `an idle month takes ${COUNTS.idleTick} commands a minute from each`,
  `on three shards an idle month takes ${whole(on(3, 0).commands)} commands and costs ${cents(on(3, 0).upstashPayAsYouGo)}`,
  `a lone message ${onThree.toFixed(0)} commands instead of ${handed}`,
  `${whole(UPSTASH.commandsPerSecond)} commands a second, a plan's bytes`,
  `100M messages a month one by one on four shards cost ${cents(on(4, 1e8).upstashPayAsYouGo)}`,
  `or $${on(4, 1e8).upstashFixed?.price} on four fixed plans where one costs $${evenly(1e8).upstashFixed?.price}`,
  `${UPSTASH.databases} databases on pay as you go, and each further one costs ${cents(UPSTASH.perDatabase)}`,
  `${enqueueOf(100) + COUNTS.emptyLane} commands instead of ${100 * lone}`,
  `full syncs of a hundred cost ${(thousand.drain / 1_000).toFixed(2)} commands per message, those of ten ${(COUNTS.take / 10).toFixed(1)}`,
  `taken by ${takeHundred.oneLane} commands, those of a hundred queues or groups that have more each, in turns, by ${takeHundred.manyLanes}; where each has only one, by ${takeHundred.loneMessages}`,
  `dedup keys (${dedup} commands for each message)`,
].map(flowing);

describe('docs/cost.md', () => {
  test.each(TOLD)('has what is computed: %s', (told) => {
    expect(flowing(body)).toContain(told);
  });

  test('has no other figure: no dollars, no fraction, no thousands', () => {
    const rest = TOLD.reduce((text, told) => text.replaceAll(told, ''), flowing(body));
    expect(rest.match(/\$\d[\d.,]*|\d+\.\d+|\d{1,3}(?:,\d{3})+/g)).toBeNull();
  });
});

test('README.md has the same figures', () => {
  const readme = flowing(readFileSync('README.md', 'utf8'));
  expect(readme).toContain(`an idle minute costs ${COUNTS.idleTick} Redis commands`);
  expect(readme).toContain(`${whole(ends / DAYS)} lone messages a day`);
  expect(readme).toContain(
    `About ${((thousand.enqueue + thousand.drain) / 1_000).toFixed(2)} Redis commands per message in batches of 100, ${handed} for a lone one`,
  );
});

describe('U7 what others take', () => {
  test('Cloudflare Queues cost nothing up to 10,000 operations a day, and with the paid plan more', () => {
    expect(cloudflareQueues(3_333, DAYS, 260)).toBe(0);
    expect(cloudflareQueues(3_334, DAYS, 260)).toBe(5);
    expect(cloudflareQueues(1_666, DAYS, 64_001)).toBe(0); // two chunks each
    expect(cloudflareQueues(1_667, DAYS, 64_001)).toBe(5);
    expect(cloudflareQueues(1e6, DAYS, 260)).toBeCloseTo(5 + (90 - 1) * 0.4);
  });

  test('Vercel Queues cost by chunks of 4 KiB, three operations each', () => {
    expect(vercelQueues(11_111, DAYS, 260)).toBe(0); // Hobby has a million operations
    expect(vercelQueues(1e6 / DAYS, DAYS, 4_096)).toBeCloseTo(1.8);
    expect(vercelQueues(1e6 / DAYS, DAYS, 4_097)).toBeCloseTo(3.6);
  });

  test('QStash is free for a thousand a day', () => {
    expect([qstash(1_000, DAYS), qstash(1_001, DAYS)]).toEqual([0, expect.closeTo(0.3003)]);
  });
});
