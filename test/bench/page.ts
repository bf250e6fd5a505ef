/** docs/benchmarks.md and its plots, made anew from all results there are. The prose says what is measured; figures are data. */

import { estimate, MONTH_S } from '../../scripts/cost/estimate.ts';
import { ceilingSection } from './ceilings/page.ts';
import type { GrowthLine, PeerFigures, Results } from './figures.ts';
import { bars, lines } from './plot.ts';
import { farPlot, farSection } from './rtt/page.ts';
import { standingSection } from './standing/page.ts';
import { commandTable, demandTable, enqueueTable, growthTable, machineText, speedTable } from './tables.ts';

export const PLOTS = 'benchmarks';

const INTRODUCTION = `# Benchmarks

What Sluice costs in time and commands beside what people would use instead, in one run, on one machine, on the same Redis.

\`\`\`sh
npm run bench                      # all that is usual, about 18 minutes; writes this page
npm run bench -- --quick           # three minutes, small, writes nothing
npm run bench -- --only growth     # one part: peers, rtt, growth or backlog; the others stay as they are
npm run bench -- --only standing   # one that is not usual: slow deliveries, about 10 minutes; ceilings is another
npm run bench -- --json            # the results as the last line
\`\`\`

It starts a \`redis-server\` and, in a process of its own, the emulator of the Upstash REST API; everything is on 127.0.0.1. It
ends what it started. No test asserts times: what CI pins are commands and round trips, which are exact
(\`test/cost.test.ts\`). Speeds are those of the machine named with them: compare rows, not machines.`;

const PEERS = `## Beside others

The same messages (bodies of about 260 bytes) go in, each is handed to a handler that does nothing, each is acknowledged.
Contenders take turns within a round, in a different order each round, on an empty Redis each time. Figures are medians, with
the least and the most that was seen. Each run counts who got which message: **lost** and **doubled** are over all runs.

- *drain*: a backlog of up to one second's work (at most 20,000 messages over TCP and 100,000 of others), from the start of the consumer to the last acknowledgement.
- *both at once*: messages go in by the hundred while they are worked off.
- *wake*: on an idle system, from the call that enqueues to the handler; 500 times, or as often as 20 s allow. Handlers in workerd tell a
  server outside.
- HTTP requests are those to Redis. Commands are counted by Redis itself, those inside scripts included, as hosted Redis bills.`;

const SETTINGS = `### With which settings

Each has the best that its documentation offers for this work. A queue over TCP can block and wait for a message; one over
HTTP must ask, or be woken.`;

const BOUNDS = `### Where the time goes

A lease has one sync in flight, because the count of what it holds must be unambiguous: client, emulator and Redis work one after
another on it, and with two cores it waits more than half of the time. So a drain on a backlog has several (\`SLUICE_LEASES\`), which
overlap, as several drains in one process do: on loopback they keep both cores busy, and from afar they share the way, see
"Far from Redis". The figures that follow are from before there were several: with one lease in each of four or ten drains.

Processor time for one message, µs, with four drains in batches of 100, and enqueues of 1,000. Steps, each measured in one run in
which old and new took turns (medians), so that the second begins with other figures than the first ends with:

|  | drain: step 1 | step 2 | enqueue: step 1 | step 2 | step 3, four under way |
| --- | --- | --- | --- | --- | --- |
| client (loop or producer, HTTP) | 7.3 → 4.9 | 4.4 → 2.4 | 6.4 → 3.2 | 2.6 → 1.9 | 2.5 → 1.8 |
| emulator | 2.6 → 2.5 | 2.4 → 2.3 | 1.5 → 1.4 | 1.3 → 1.1 | 1.3 → 1.2 |
| redis-server | 4.8 → 3.6 | 3.5 → 3.3 | 3.2 → 2.9 | 2.6 → 2.6 | 2.6 → 2.5 |
| together | 14.7 → 11.0 | 10.3 → 8.0 | 11.1 → 7.5 | 6.5 → 5.5 | 6.4 → 5.5 |

Instructions of \`redis-server\` for one message (callgrind; the same at any load): 52,000 before and 34,000 after in a sync of 100
from one lane, 150,000 and 47,000 from lanes that share the batch, 22,500 and 18,500 in an enqueue of 500.

What did it, first. *Scripts*: no table for each message, plain acks and plain messages in loops of their own, one replacement instead of
two cuts for each key, header lines read where they say something, few lanes to a batch, whole numbers as scores. *Drain*: a
handler that returns nothing settles without a promise, what runs is a list instead of a Map, header lines are read once, acks
of a queue are one segment with what they measured added up. *Producer*: a plain message is completed without a promise and without a
schema for options it does not have; settings are compared, not written, to find messages alike.

Then: Node sends through \`undici.request\` instead of \`fetch\`, which was half of the client in a drain
([0007](decisions/0007-node-has-its-own-way-out.md)); ids of a batch are made by the script, an argument for a message instead of two. One
command tells which of the lanes of a batch have more: from a hundred lanes a batch takes 24 commands instead of 50, and 45,000
instructions for each message instead of 55,000, where one lane has 34,000.

Then bulk enqueue: a suspended function holds all that it names, so that inputs, messages and ids of four batches lived until
their answers came, and each garbage collection copied them; now they are let go before the request is sent, and plain
messages of a queue are made from one pattern. Held for a message that is under way: 0.7 KB instead of 1.4. Rate in one run,
20 rounds in turn: 268,000 → 326,000 a second. The emulator decodes JSON as it comes.

- *What is left in Redis*: its Lua hashes every byte of each text it is given, so that a body costs once in a sync and twice
  in an enqueue, 0.45 µs each time; each call makes the script's functions anew, 25 µs a sync.
- *What is left in the client*: its JSON is half of an enqueue and a third of a drain, the system call that sends most of the rest. *In the
  emulator*: node:http and ioredis alone, without our code, are within the noise of it.
- *Bulk enqueue* is a chain, too: with four batches under way client, emulator and Redis keep two cores nine tenths busy, 5.5 µs a
  message. Writing and reading 330 KB twice, and quoting bodies as JSON within JSON, is what an LPUSH of the bare bodies costs as
  well: it is the ceiling here, and stands in the table above. This machine is a guest that others slow down by a quarter at times,
  and what copies much is slowed down most.
- *The ratio to addBulk differs from run to run*, with the same code: 5.0, 4.6, 5.2, 5.1 and 4.96 with all contenders, while the clock
  counted what making bodies takes and the harness held them until their batch was answered. It did as much for each message of
  others, who feel it less: without it, in 14 rounds, ours went from 292,000 to 343,000 a second and BullMQ from 59,000 to 61,000, and
  runs of all contenders gave 5.5 and 5.1, before the one above. With no third contender, each in a process of its own, it had been 5.5,
  5.7 and 5.7 (11 rounds in turn), in one process 5.2 (12 rounds). With all contenders in processes of their own 5.2, 5.8 and 4.5, but a
  process that rests between its turns is cold, and drains fell from 6.1 to 4.2 to 5.2 times BullMQ.
- *Rounds differ by garbage*: one in which a whole heap is collected costs our producer 2.2 µs a message instead of 1.5, and whose
  garbage it was is chance, for all share a process. To collect it before each round made all slower, ours most.
- *Other sizes*: BullMQ is at its best with sixteen batches of 100 (10 % above four of 1,000), ours with eight of 500 (7 % above).
  Runs of half a second that are not ended at our 100,000 and BullMQ's 20,000 messages gave 4.8, beside 5.6 of those that are (14
  rounds in turn): an envelope is a key, and Redis' table of keys doubles at 131,072. By steps of 50,000, four batches under way and
  nothing beside them, 411, 386, 341, 409, 421, 303, 374 and 444 thousand a second: slower where it doubles, at 400,000 as fast as at first.

Tried and dropped. In the emulator: own encoding of large commands, replies as other kinds of strings, flags of V8: no gain that a run of
all could show. In the client: a lazy chain. For bulk enqueue: header lines written by the client (Redis 0.35 µs less, client and
emulator 0.2 more, the rate the same); all bodies as lines of one argument (Redis hashes them once more); the same as the raw
body of a request whose command is in its path (emulator 0.35 less, Redis 0.3 more, the rate the same). Both of these
together were a tenth faster, but only the server's clock may count, and not every server in front of a Redis takes a
command in the path.

#### Through the Worker

Where workerd's processor time goes for a message, ten drains in batches of 100, by \`perf\` (4 kHz, five rounds of 100,000
messages in turn; 19,043 samples before, 12,562 after). Shares are of 5.8 µs before and 3.7 µs after, measured without \`perf\`
in rounds in turn, at load 3 to 4. A third profile is of the code of now, 5,000 samples at load 1, its symbols sorted anew: 3.7 µs still.

|  | before | after | now | now, µs |
| --- | --- | --- | --- | --- |
| JavaScript, ours and the SDK's | 30 % | 28 % | 29 % | 1.1 |
| workerd's HTTP client, streams and event loop | 20 % | 28 % | 19 % | 0.7 |
| memory: allocation, copies | 9 % | 11 % | 12 % | 0.4 |
| JSON | 6 % | 10 % | 11 % | 0.4 |
| native objects behind JavaScript's, with their garbage | 18 % | 9 % | 11 % | 0.4 |
| kernel | 6 % | 7 % | 8 % | 0.3 |
| abort signals, timers | 7 % | 2 % | 1 % | 0.1 |
| clock, garbage collection, compiling, others | 4 % | 5 % | 9 % | 0.3 |

What did it: a handler's signal is made when it is first read (1.4 µs: controller and signal are native objects in workerd), an
ack is not copied and its run has no text of its own (0.4), and the handler of this benchmark is a plain function as the
library's is (0.4; an async one still costs that).

What bounds it now is not workerd alone but all three on two cores: workerd 3.7 µs, emulator 2.0, Redis 3.3, which with cores
that never rest would be 220,000 messages a second. Seen in those rounds: 166,000 with ten drains (130,000 before), 95,000 with
four, 83,000 with one, which waits for each answer. Beside Cloudflare Queues' local broker, in one run at load 3, which others
had a part of: 140,000 with ten drains against 48,600, 2.9 times. Now workerd 3.7, emulator 2.1, Redis 3.3: 150,000 to 173,000 a
second with ten drains and nothing beside them. In full runs before the one above it was 2.4, 2.7 and 3.2 times, while reading who got what was on the
clock; in the last of these on theirs alone, which cost them up to 7 %.

- *Storage is more than half of it*: emulator and Redis take 5.3 of the 9 µs, and nothing in the Worker makes that less.
- *The hop*: a Worker that makes the same number of fetches, of as many bytes each way (3.1 and 33.8 kB), to a server that answers
  at once without Redis, and does nothing else, takes 1.1 µs (ten side by side; one after another 1.6) for what would be a
  message: 791,000 a second. With the timeout, and JSON read and written as in a drain, 1.8 µs and 507,000 (2.5 and 355,000):
  half of workerd's time is what any Worker on such a Redis has.
- *Cloudflare Queues' local broker* has neither: it hands over what is in workerd's memory, makes no request, and keeps nothing
  when workerd ends. Even so a message costs workerd more there, 7.2 µs in the same run as 4.5 here, the benchmark's reading of
  what was handled included; what it saves is the storage.

Tried and dropped: a getter of the signal on each context (6 % of our own code in Node; a Proxy costs nothing there), a getter
of a class (a copy of the context would be without it), an index kept for each running handler (as good as looking from the
front), durations counted without lists between (nothing).

#### One POST through the Worker

Processor time of one POST of one message, µs, one caller after its answer / 32 at once, and POSTs a second: layers in turns, nine
rounds, on a machine that others used too (load 2 to 3), so only what stands beside each other compares.

|  | workerd | emulator | Redis | client | a second |
| --- | --- | --- | --- | --- | --- |
| a Worker that reads the body and answers | 630 / 330 | 0 | 0 | 490 / 300 | 830 / 2,340 |
| … and asks Redis for PING with \`fetch\` | 1,180 / 620 | 280 / 110 | 40 / 10 | 550 / 280 | 430 / 1,120 |
| Sluice's, as it was | 2,540 / 1,670 | 370 / 140 | 150 / 70 | 550 / 270 | 260 / 550 |
| … without static files beside it | 1,490 / 890 | 330 / 140 | 140 / 70 | 760 / 270 | 320 / 880 |
| now, with static files, \`run_worker_first\` | 1,990 / 1,220 | 320 / 140 | 140 / 70 | 550 / 280 | 300 / 650 |
| now, without | 1,540 / 860 | 350 / 130 | 140 / 70 | 550 / 300 | 340 / 800 |

- *Static files*: Miniflare puts a router and the Worker of the files before the deployed one, and each POST asked both. The API's paths
  need neither; here no static files stand beside the Worker, as none do at Cloudflare Queues'.
- *The floor*: every request runs through Miniflare's entry Worker, and each \`fetch\` through one more that strips headers. Both, the
  client, the emulator and PING are 2.05 of 2.58 ms of one POST now; as it was it took 3.61. Twice as fast, one after the other, is
  below that floor.
- *Ours* is spread thin: of 4 kHz samples 3 % are compiled JavaScript, 21 % V8 and its builtins, 47 % workerd's C++ and Rust, 11 %
  the kernel. Making the digest of the token and copying the request's variables were the two of our own that showed; an accepted
  token now costs nothing that can be measured. The native objects of a request are cheap: Response 4 to 5 µs, timeout 2, waitUntil 3.
- *In the emulator* two writes to sockets are most of it.`;

const GROWTH = `## Growth

Shards of different sizes stand side by side in one Redis, and take turns: each enqueues ten single messages, drains 5,000 (of a
backlog 1,000) in batches of 100, and gets as many back. "Redis itself" is the time of the script, which the rest of the machine hardly
touches. *Backlog* are ready messages in one lane; *queues* and *groups* share 100,000 ready messages; *in flight* are held by
other consumers' leases, 500 each; *delayed* wait in timers.`;

const BACKLOG = `## Each call of the API with a backlog of a million

Three \`redis-server\`s, each behind the deployed Worker in workerd: 1,000 ready messages, 1,000,000, and 1,000 again. Each call is
made on the three in turn. It does not hold where the median or the p99 of a call is more than three times that of the short
backlog. "Equal ones" shows how far two short ones are apart: a p99 that differs no more than that means nothing.`;

const COST = `## Dollars a million messages

From the commands of each arrival rate and published prices: [cost.md](cost.md) has both, and their sources.

![Dollars a million messages](${PLOTS}/cost.svg)`;

export function pageOf(results: Results): string {
  const { peers, rtt, standing, growth, ceilings, backlog } = results;
  const sections = [INTRODUCTION, `## What was asked\n\n${demandTable(results)}`];
  if (peers) {
    const rounds = `${peers.rounds} rounds; ${peers.rounds + peers.bulkRounds} of four batches of 1,000.`;
    sections.push(peersSection(peers.figures, `${machineText(peers.machine)} ${rounds}`));
  }
  if (rtt) sections.push(farSection(rtt, PLOTS));
  if (standing) sections.push(standingSection(standing));
  if (growth) {
    sections.push(
      GROWTH,
      `![Drain rate by size](${PLOTS}/growth.svg)`,
      growthTable(growth.lines),
      `${machineText(growth.machine)} ${growth.rounds} rounds.`,
    );
  }
  if (ceilings) sections.push(ceilingSection(ceilings));
  sections.push(COST);
  if (backlog) sections.push(BACKLOG, backlog.report, machineText(backlog.machine));
  return `${sections.join('\n\n')}\n`;
}

function peersSection(figures: PeerFigures[], machine: string): string {
  return [
    PEERS,
    `![Drain](${PLOTS}/drain.svg)`,
    speedTable(figures),
    machine,
    `### Going in\n\n![Enqueue](${PLOTS}/enqueue.svg)`,
    enqueueTable(figures),
    '### Redis commands and HTTP requests per message',
    commandTable(figures),
    'Lone: four a second. What a deployment pays for them: [cost.md](cost.md).',
    SETTINGS,
    figures.map(({ name, settings }) => `- **${name}**: ${settings}.`).join('\n'),
    BOUNDS,
  ].join('\n\n');
}

/** File name to SVG. */
export function plotsOf({ peers, rtt, growth }: Results): Record<string, string> {
  return {
    'cost.svg': costPlot(),
    ...(peers ? peerPlots(peers.figures) : {}),
    ...(rtt ? { 'rtt.svg': farPlot(rtt.figures) } : {}),
    ...(growth ? growthPlots(growth.lines) : {}),
  };
}

function peerPlots(figures: PeerFigures[]): Record<string, string> {
  const bar = (name: string, rate: { median: number; low: number; high: number } | undefined) =>
    rate
      ? [{ label: name, value: rate.median, low: rate.low, high: rate.high, strong: name.startsWith('Sluice') }]
      : [];
  const bulk = ({ enqueue }: PeerFigures) =>
    enqueue['four batches of 1,000'] ?? enqueue['batches of 100'] ?? enqueue['32 in parallel'];
  return {
    'drain.svg': bars(
      'Drain: handled and acknowledged',
      'messages/s',
      figures.flatMap(({ name, drain }) => bar(name, drain)),
    ),
    'enqueue.svg': bars(
      'Enqueue: in the largest batches each has, four under way',
      'messages/s',
      figures.flatMap((figure) => bar(figure.name, bulk(figure))),
    ),
  };
}

function growthPlots(dimensions: GrowthLine[]): Record<string, string> {
  const data = dimensions.map(({ dimension, points }) => ({
    label: dimension,
    points: points.map(({ size, rate }) => ({ x: size, y: rate.median })),
  }));
  return { 'growth.svg': lines('Drain rate as there is more of something', 'messages/s by size', data) };
}

const RATES = [0.1, 1, 10, 100, 1_000];

/** A month of messages that come at each rate without a pause; what one million of them costs. */
function costPlot(): string {
  const at = (perSecond: number, batch: number) => {
    const messages = perSecond * MONTH_S;
    const found = estimate({ messages, perSecond, batch, bytes: 260, roundTripMs: 6, cronMinutes: 1 });
    return { found, each: (dollars: number) => ({ x: perSecond, y: (dollars / messages) * 1_000_000 }) };
  };
  const line = (label: string, batch: number, price: (found: ReturnType<typeof estimate>) => number | undefined) => ({
    label,
    points: RATES.flatMap((rate) => {
      const { found, each } = at(rate, batch);
      const dollars = price(found);
      return dollars ? [each(dollars)] : []; // free, or no plan fits
    }),
  });
  return lines(
    'Dollars a million messages, by how fast they come',
    'US dollars by messages a second',
    [
      line('Upstash, as you go', 1, ({ upstashPayAsYouGo }) => upstashPayAsYouGo),
      line('the same, by 100', 100, ({ upstashPayAsYouGo }) => upstashPayAsYouGo),
      line('Upstash, fixed plan', 1, ({ upstashFixed }) => upstashFixed?.price),
      line('QStash', 1, ({ qstash }) => qstash),
      line('Cloudflare Queues', 1, ({ cloudflareQueues }) => cloudflareQueues),
    ],
    true,
  );
}
