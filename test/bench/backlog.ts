/**
 * Does a long backlog make a call slower? One run with 1,000 ready messages and with 1,000,000, side by side.
 *
 * Each backlog has a real Redis of its own, behind the deployed Worker over HTTP. Every call is made on all of them in turn,
 * so that what disturbs the machine disturbs them alike; a second small backlog shows how far apart equal ones are. A call is
 * too slow where the median or the p99 of a call is more than three times that of the small backlog.
 */
import { loadavg } from 'node:os';
import { Redis } from 'ioredis';
import { percentile } from '../../examples/demo/report.ts';
import { type Bundle, buildBundle } from '../../src/dev/bundle.ts';
import { startStack } from '../../src/dev/stack.ts';
import { formatLane } from '../../src/message/lane.ts';
import { openShard } from '../../src/redis/shard.ts';
import { connect } from '../../src/redis/undici.ts';
import { openStore } from '../../src/store/store.ts';
import { startRedisServer } from '../support/redis-server.ts';

const FEW = 1_000;
const GROUPS = 10;
const BATCH = 100;
const PAGE = 20;
const WARM_UP = 20; // rounds that are not counted: the first calls compile
const MOST = 3; // times as long
const QUEUE = 'reports';
const PRIORITY = 4;

interface Backlog {
  name: string;
  size: number;
  raw: Redis;
  /** Enqueues past the Worker. */
  fill(): Promise<void>;
  /** @throws Error where the answer is no success */
  call<T>(method: string, path: string, body?: unknown): Promise<T>;
  /** In the order in which they came; those before `first` are taken. */
  ids: string[];
  first: number;
  /** What `receive` took and `settle` gives back. */
  lease: string;
  held: string[];
  stop(): Promise<void>;
}

const body = (n: number) => ({ n, title: `report ${n}`, text: 'x'.repeat(180) }); // about 230 bytes as JSON
const groupOf = (n: number) => `g${n % GROUPS}`; // message by message: lanes stay equally long, and heads go evenly
const input = (n: number) => ({ queue: QUEUE, body: body(n), group: groupOf(n) });
const middleOf = ({ ids, first }: Backlog) => ids[Math.floor((first + ids.length) / 2)];

interface Call {
  name: string;
  /** @returns what is worth telling about the answer */
  make(backlog: Backlog): Promise<string | undefined>;
}

/** In this order a round leaves each backlog as long as it was. */
const CALLS: Call[] = [
  {
    name: 'enqueue one',
    async make(b) {
      const { queue, ...message } = input(b.ids.length);
      const { id } = await b.call<{ id: string }>('POST', `/v1/queues/${queue}/messages`, message);
      b.ids.push(id);
      return undefined;
    },
  },
  {
    name: 'look at one in the middle',
    make: async (b) => (await b.call<{ state: string }>('GET', `/v1/messages/${middleOf(b)}`)).state,
  },
  {
    name: 'counts of the queue',
    async make(b) {
      const { ready, complete } = await b.call<{ ready: Record<string, number>; complete: boolean }>(
        'GET',
        `/v1/queues/${QUEUE}`,
      );
      if ((ready[PRIORITY] ?? 0) < b.size) throw new Error(`${b.name} counts ${ready[PRIORITY]} ready messages`);
      return complete ? 'complete' : 'not complete';
    },
  },
  { name: `browse, first page of ${PAGE}`, make: (b) => browse(b, '') },
  {
    name: `browse, a page of ${PAGE} far in`,
    // As list-messages.lua makes it: a lane, and how many of its entries come before. The middle of a lane in the middle.
    make: (b) => browse(b, `1:0 ${formatLane(PRIORITY, QUEUE, groupOf(5))} ${Math.floor(b.size / GROUPS / 2)}`),
  },
  {
    name: 'cancel the newest',
    async make(b) {
      return (await b.call<{ was: string }>('DELETE', `/v1/messages/${b.ids.pop()}`)).was;
    },
  },
  {
    name: 'cancel one in the middle',
    async make(b) {
      const { was } = await b.call<{ was: string }>('DELETE', `/v1/messages/${middleOf(b)}`);
      return was;
    },
  },
  {
    name: `enqueue ${BATCH + 1} at once`,
    async make(b) {
      const from = b.ids.length;
      const messages = Array.from({ length: BATCH + 1 }, (_, i) => input(from + i));
      const answer = await b.call<{ messages: { id: string }[] }>('POST', '/v1/messages', { messages });
      b.ids.push(...answer.messages.map(({ id }) => id));
      return undefined;
    },
  },
  {
    name: `receive ${BATCH}`,
    async make(b) {
      const request = { queues: [QUEUE], max: BATCH };
      const { lease, messages } = await b.call<{ lease: string; messages: { id: string }[] }>(
        'POST',
        '/v1/receive',
        request,
      );
      b.lease = lease;
      b.held = messages.map(({ id }) => id);
      b.first += BATCH + 1; // and one that was cancelled
      return undefined;
    },
  },
  {
    name: `settle ${BATCH}`,
    async make(b) {
      const settle = b.held.map((id) => ({ id, outcome: 'ack' }));
      const { settled } = await b.call<{ settled: { status: string }[] }>('POST', `/v1/leases/${b.lease}/settle`, {
        settle,
      });
      const acked = settled.filter(({ status }) => status === 'acked').length;
      if (acked < BATCH - 10) throw new Error(`${b.name}: only ${acked} of ${BATCH} were received and acked`);
      return undefined;
    },
  },
];

async function browse(b: Backlog, cursor: string): Promise<undefined> {
  const query = new URLSearchParams({ limit: String(PAGE), ...(cursor ? { cursor } : {}) });
  const page = await b.call<{ messages: unknown[] }>('GET', `/v1/queues/${QUEUE}/messages?${query}`);
  if (page.messages.length !== PAGE) throw new Error(`${b.name}: a page of ${page.messages.length}`);
  return undefined;
}

async function openBacklog(name: string, size: number, bundle: Bundle): Promise<Backlog> {
  const server = await startRedisServer(['--slowlog-log-slower-than', '0', '--slowlog-max-len', '8']);
  const stack = await startStack({ redis: server.url, bundle });
  const worker = await stack.startWorker();
  const raw = new Redis(server.url);
  const connection = { url: stack.emulator.url, token: stack.emulator.token, timeoutMs: 30_000 };
  const store = openStore(openShard({ connection, connect, prefix: 'sluice' }));
  const headers = { authorization: `Bearer ${stack.token}` };
  const ids: string[] = [];
  return {
    name,
    size,
    raw,
    ids,
    first: 0,
    lease: '',
    held: [],
    async fill() {
      while (ids.length < size) {
        const from = ids.length;
        const messages = Array.from({ length: Math.min(1_000, size - from) }, (_, i) => ({
          lane: formatLane(PRIORITY, QUEUE, groupOf(from + i)),
          pool: QUEUE,
          maxAttempts: 5,
          delayMs: 0,
          ttlMs: 0,
          json: JSON.stringify({ body: body(from + i) }),
        }));
        ids.push(...(await store.enqueue({ messages })).ids);
      }
    },
    async call<T>(method: string, path: string, request?: unknown) {
      const answer = await fetch(worker.url + path, {
        method,
        headers,
        ...(request === undefined ? {} : { body: JSON.stringify(request) }),
      });
      const text = await answer.text();
      if (!answer.ok) throw new Error(`${name}: ${method} ${path} answered ${answer.status} ${text}`);
      return JSON.parse(text) as T;
    },
    async stop() {
      raw.disconnect();
      await stack.close();
      await server.stop();
    },
  };
}

/** The server's own time for the last script, ms. */
async function scriptMs({ raw }: Backlog): Promise<number> {
  const entries = (await raw.call('SLOWLOG', 'GET', '8')) as [number, number, number, string[]][];
  const [, , micros = 0] = entries.find(([, , , [command]]) => /^evalsha$/i.test(command ?? '')) ?? [];
  return micros / 1_000;
}

interface Times {
  all: number[];
  /** Of these the server worked so long. */
  server: number[];
  said: Set<string>;
}

interface Figures {
  call: string;
  few: Summary;
  many: Summary;
  fewAgain: Summary;
  /** Times as long with the long backlog. */
  medianRatio: number;
  p99Ratio: number;
  /** How far apart two equal backlogs are. */
  noiseMedian: number;
  noiseP99: number;
  within: boolean;
  said: string;
}

interface Summary {
  medianMs: number;
  p99Ms: number;
  /** Redis alone: what the machine does elsewhere is not in it. */
  serverMedianMs: number;
  serverP99Ms: number;
}

/** @returns the table, and whether no call takes more than three times as long with the long backlog */
export async function compareBacklogs(
  many: number,
  rounds: number,
  say: (step: string) => void,
): Promise<{ report: string; within: boolean }> {
  const loadBefore = loadavg()[0] ?? 0;
  const bundle = await buildBundle();
  const backlogs: Backlog[] = [];
  try {
    for (const [name, size] of [
      ['few', FEW],
      ['many', many],
      ['few again', FEW],
    ] as const) {
      say(`backlogs: filling ${name}, ${size} messages`);
      const backlog = await openBacklog(name, size, bundle);
      backlogs.push(backlog);
      await backlog.fill();
    }
    say(`backlogs: ${rounds} rounds of ${CALLS.length} calls on each`);
    const measured = await measure(backlogs, rounds);
    const figures = CALLS.map(({ name }) => figuresOf(name, measured.get(name) ?? []));
    const within = figures.every((figure) => figure.within);
    const redisBytes = Number(/used_memory:(\d+)/.exec((await backlogs[1]?.raw.info('memory')) ?? '')?.[1]);
    const loadAfter = loadavg()[0] ?? 0;
    return { report: reportOf({ few: FEW, many, rounds, figures, within, redisBytes, loadBefore, loadAfter }), within };
  } finally {
    for (const backlog of backlogs) await backlog.stop();
  }
}

/** @returns by call, the times of each backlog in their order */
async function measure(backlogs: Backlog[], rounds: number): Promise<Map<string, Times[]>> {
  const fresh = () => backlogs.map((): Times => ({ all: [], server: [], said: new Set() }));
  const measured = new Map(CALLS.map(({ name }) => [name, fresh()]));
  for (let round = -WARM_UP; round < rounds; round++) {
    for (const { name, make } of CALLS) {
      for (let turn = 0; turn < backlogs.length; turn++) {
        const at = (turn + round + WARM_UP) % backlogs.length; // none always comes first
        const backlog = backlogs[at] as Backlog;
        const times = measured.get(name)?.[at] as Times;
        const start = performance.now();
        const said = await make(backlog);
        const ms = performance.now() - start;
        const server = await scriptMs(backlog);
        if (round < 0) continue;
        times.all.push(ms);
        times.server.push(server);
        if (said) times.said.add(said);
      }
    }
  }
  return measured;
}

function figuresOf(call: string, [few, many, fewAgain]: Times[]): Figures {
  const summary = ({ all, server }: Times): Summary => ({
    medianMs: quantile(all, 0.5),
    p99Ms: quantile(all, 0.99),
    serverMedianMs: quantile(server, 0.5),
    serverP99Ms: quantile(server, 0.99),
  });
  const [a, b, c] = [summary(few as Times), summary(many as Times), summary(fewAgain as Times)];
  const medianRatio = times(b.medianMs, a.medianMs);
  const p99Ratio = times(b.p99Ms, a.p99Ms);
  const said = [few, many].map((tries) => [...(tries?.said ?? [])].join(', ')).filter((text) => text !== '');
  return {
    call,
    few: a,
    many: b,
    fewAgain: c,
    medianRatio,
    p99Ratio,
    noiseMedian: times(c.medianMs, a.medianMs),
    noiseP99: times(c.p99Ms, a.p99Ms),
    within: medianRatio <= MOST && p99Ratio <= MOST,
    said: [...new Set(said)].join(' / '),
  };
}

/** To the µs: `percentile` rounds to a tenth. */
const quantile = (timesMs: number[], share: number) => {
  const micros = timesMs.map((ms) => ms * 1_000);
  return Math.round(percentile(micros, share)) / 1_000;
};

const times = (a: number, b: number) => Math.round((a / b) * 1_000) / 1_000;

interface Result {
  few: number;
  many: number;
  rounds: number;
  figures: Figures[];
  within: boolean;
  redisBytes: number;
  loadBefore: number;
  loadAfter: number;
}

function reportOf({ few, many, rounds, figures, within, redisBytes, loadBefore, loadAfter }: Result): string {
  const [less, more] = [few, many].map((count) => count.toLocaleString('en-US'));
  const two = (value: number) => value.toFixed(2);
  const row = (f: Figures) => [
    f.call,
    ...[f.few, f.many].map(({ medianMs, p99Ms }) => `${two(medianMs)} / ${two(p99Ms)}`),
    `${two(f.medianRatio)} / ${two(f.p99Ratio)}`,
    `${two(f.noiseMedian)} / ${two(f.noiseP99)}`,
    `${two(f.few.serverMedianMs)} / ${two(f.many.serverMedianMs)}`,
    f.within ? 'yes' : 'NO',
    f.said,
  ];
  const headings = [
    'call, ms median / p99',
    less,
    more,
    'times',
    'equal ones',
    'server ms',
    `within ${MOST}`,
    'answer',
  ];
  const rows = [headings, headings.map(() => '---'), ...figures.map(row)];
  return [
    ...rows.map((cells) => `| ${cells.join(' | ')} |`),
    '',
    `${rounds} tries of each call on each backlog, in turn. "equal ones": a second backlog of ${less} against the first.`,
    `"server ms": the median time that Redis itself worked, ${less} / ${more}.`,
    `Redis held ${(redisBytes / 2 ** 20).toFixed(0)} MiB for ${more}; load average ${two(loadBefore)} before, ${two(loadAfter)} after.`,
    within
      ? `Every call is within ${MOST} times.`
      : `NOT within ${MOST} times: ${figures
          .filter((f) => !f.within)
          .map(({ call }) => call)
          .join('; ')}.`,
  ].join('\n');
}
