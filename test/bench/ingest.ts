/**
 * What taking a webhook costs: verification and the write, of a body of 20 KB, against a route that does nothing with the
 * same body. Measured from outside, one request at a time, the kinds in turn, so that what disturbs the machine disturbs all;
 * and the time that the Worker's process worked, which a busy machine changes little.
 */
import { createHmac, randomUUID } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { startProgress } from '../../examples/demo/progress.ts';
import { percentile } from '../../examples/demo/report.ts';
import { buildBundle } from '../../src/dev/bundle.ts';
import { runCommand } from '../../src/dev/command.ts';
import { startStack } from '../../src/dev/stack.ts';

const HELP = `Usage: npx node test/bench/ingest.ts [options]

Times /hooks/github with a signed body of 20 KB, with a forged one, and a source that there is not; on redis-server where
there is one. Exits 0 if verification and the write take less than 3 ms of the Worker's own time above the source that
there is not, 1 otherwise. Where that time cannot be read (it is from /proc), the median from outside is judged.

  --rounds N    how often each is sent, 20 to 100,000 (1000)
  --redis URL   see npm run demo
  --json        print one object with the figures as the last line
  --help        this text
`;

const OPTIONS = {
  rounds: { type: 'string', default: '1000' },
  redis: { type: 'string', default: 'auto' },
  json: { type: 'boolean' },
} as const;

const BYTES = 20_000;
const WARM_UP = 50; // rounds that are not counted: the first calls compile
const MOST_MS = 3;
const SECRET = 'secret';
const TICK_MS = 10; // of /proc

const KINDS = {
  'no-op': { path: '/hooks/nobody', status: 404, forged: false },
  forged: { path: '/hooks/github', status: 401, forged: true },
  accepted: { path: '/hooks/github', status: 200, forged: false },
} as const;
type Kind = keyof typeof KINDS;

await runCommand(HELP, OPTIONS, async ({ rounds: asked, redis, json }) => {
  const rounds = Number(asked);
  if (!(Number.isInteger(rounds) && rounds >= 20 && rounds <= 100_000))
    throw new RangeError('--rounds must be 20 to 100000');
  const stack = await startStack({
    redis,
    // The deployed code with a source whose queue is pulled: no drain works beside what is measured.
    bundle: await buildBundle('test/webhooks/worker.ts'),
    env: { SECRET_GITHUB: SECRET },
    log: () => {},
  });
  try {
    const { url } = await stack.startWorker();
    const times: Record<Kind, number[]> = { 'no-op': [], forged: [], accepted: [] };
    const progress = startProgress(() => `${times['no-op'].length} of ${rounds}`);
    for (let i = -WARM_UP; i < rounds; i++) {
      for (const kind of Object.keys(KINDS) as Kind[]) {
        const ms = await timed(url, kind, i);
        if (i >= 0) times[kind].push(ms);
      }
    }
    const cpu = {} as Record<Kind, number | undefined>;
    for (const kind of Object.keys(KINDS) as Kind[]) cpu[kind] = await workerCpu(url, kind, rounds);
    progress.stop();
    report({ times, cpu, redis: stack.redis }, json ?? false);
  } finally {
    await stack.close();
  }
});

/** Of the Worker's process for one request, ms. @returns undefined where Linux is not */
async function workerCpu(url: string, kind: Kind, rounds: number): Promise<number | undefined> {
  const before = cpuOfWorkerd();
  for (let i = 0; i < rounds; i++) await timed(url, kind, i);
  const after = cpuOfWorkerd();
  return before === undefined || after === undefined ? undefined : Math.round(((after - before) / rounds) * 100) / 100;
}

/** Of our children of that name, ms: user and system time in /proc. */
function cpuOfWorkerd(): number | undefined {
  const stats = globSync('/proc/[0-9]*/stat').flatMap((file) => {
    const [, name, rest = ''] = /\((.*)\) (.*)/.exec(textOf(file)) ?? [];
    const fields = rest.split(' ');
    const ours = name === 'workerd' && Number(fields[1]) === process.pid;
    return ours ? [(Number(fields[11]) + Number(fields[12])) * TICK_MS] : [];
  });
  return stats.length === 1 ? stats[0] : undefined;
}

/** '' of a process that has ended. */
function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

async function timed(url: string, kind: Kind, n: number): Promise<number> {
  const { path, status, forged } = KINDS[kind];
  const body = JSON.stringify({ n, text: 'x'.repeat(BYTES) })
    .slice(0, BYTES - 2)
    .concat('"}');
  const signature = createHmac('sha256', forged ? 'other' : SECRET)
    .update(body)
    .digest('hex');
  const headers = {
    'content-type': 'application/json',
    'x-github-event': 'push',
    'x-github-delivery': randomUUID(),
    'x-hub-signature-256': `sha256=${signature}`,
  };
  const begun = performance.now();
  const answer = await fetch(url + path, { method: 'POST', headers, body });
  await answer.arrayBuffer();
  const ms = performance.now() - begun;
  if (answer.status !== status) throw new Error(`${kind}: ${answer.status} instead of ${status}`);
  return ms;
}

interface Measured {
  times: Record<Kind, number[]>;
  cpu: Record<Kind, number | undefined>;
  redis: string;
}

function report({ times, cpu, redis }: Measured, json: boolean): void {
  const figures = Object.fromEntries(
    (Object.keys(KINDS) as Kind[]).map((kind) => [
      kind,
      { p50: hundredths(times[kind], 0.5), p99: hundredths(times[kind], 0.99) },
    ]),
  ) as Record<Kind, { p50: number; p99: number }>;
  const above = (kind: Kind) => Math.round((figures[kind].p50 - figures['no-op'].p50) * 100) / 100;
  console.log(`A body of ${BYTES} bytes, ${times.accepted.length} requests each, on ${redis} Redis; ms from outside`);
  for (const kind of Object.keys(KINDS) as Kind[]) {
    const { p50, p99 } = figures[kind];
    console.log(`${kind.padEnd(10)} p50 ${p50}  p99 ${p99}  Worker's own time ${cpu[kind] ?? '?'}`);
  }
  console.log(`verification takes ${above('forged')} ms above the no-op (p50), with the write ${above('accepted')} ms`);
  const own = cpu.accepted === undefined ? undefined : cpu.accepted - (cpu['no-op'] ?? 0);
  const ingest = { verifyMs: above('forged'), ingestMs: above('accepted') };
  if (json) console.log(JSON.stringify({ ...figures, cpuMs: cpu, ...ingest, redis }));
  if ((own ?? ingest.ingestMs) >= MOST_MS) process.exitCode = 1;
}

/** To a hundredth: what is measured here is less than a tenth. */
function hundredths(values: number[], share: number): number {
  const tenfold = values.map((ms) => ms * 10);
  return Math.round(percentile(tenfold, share) * 10) / 100;
}
