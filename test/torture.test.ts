// A short torture run: nothing is lost and every duplicate has a cause, with a fresh seed each time.
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';

const SECONDS = '10';
/** The second shard is away before the half of it, also where the machine stands still for three. */
const SHARDED_SECONDS = '6';
/** A drain that was killed keeps its place for half a minute, and a run over shards waits for that, beside whatever else the machine does. */
const BOUND_MS = 240_000;

const MUST_BE_ZERO = {
  lost: 0,
  unfinished: 0,
  unexpected: 0,
  enqueuedTwice: 0,
  unexplainedDuplicates: 0,
  doubleAcks: 0,
  unfenced: 0,
  orderViolations: 0,
  early: 0,
  overLimit: 0,
  groupOvertaken: 0,
  afterCancel: 0,
  whilePaused: 0,
  auditFindings: 0,
  sweepFindings: 0,
  leftovers: 0,
  stalled: 0,
};

/** A run this short need not meet all of them. */
const LEAST_QUOTAS_FILLED = 2;

type Figures = Record<string, number> & {
  quotas: Record<string, { filled: number }>;
  handedOff: { messages: number };
};

test(
  'ten seconds of lost answers, full quotas and killed Workers: nothing is lost, every duplicate has a cause, and work goes on',
  async () => {
    const { code, output } = await torture('--seconds', SECONDS, '--faults', 'heavy', '--json');
    const { quotas, handedOff, ...figures } = JSON.parse(output.trimEnd().split('\n').at(-1) ?? '') as Figures;
    console.log(`seed ${figures.seed}: ${figures.enqueued} messages, ${figures.faultsInjected} faults`);
    expect(figures, output).toMatchObject(MUST_BE_ZERO);
    expect(code).toBe(0);
    for (const name of ['acknowledged', 'delivered', 'faultsInjected', 'kills', 'duplicatedByFault', 'cancelled']) {
      expect(figures[name], `${name}: without any, the run has tried nothing`).toBeGreaterThan(0);
    }
    expect(handedOff.messages, 'handed off').toBeGreaterThan(0);
    const filled = Object.values(quotas).reduce((sum, quota) => sum + quota.filled, 0);
    expect(filled, 'quotas filled').toBeGreaterThanOrEqual(LEAST_QUOTAS_FILLED);
  },
  BOUND_MS,
);

test(
  'six seconds over three shards, each away for a moment: what was accepted together is there, once',
  async () => {
    const { code, output } = await torture('--shards', '3', '--seconds', SHARDED_SECONDS, '--json');
    const figures = JSON.parse(output.trimEnd().split('\n').at(-1) ?? '') as Figures & { shards: { away: number }[] };
    console.log(`seed ${figures.seed}: ${figures.enqueued} messages, ${figures.parcels} parcels`);
    const { stalled: _, ...zeros } = MUST_BE_ZERO;
    expect(figures, output).toMatchObject({ ...zeros, halfVisible: 0, doubled: 0, parcelsLeft: 0 });
    expect(code, output).toBe(0);
    expect(figures.shards.filter(({ away }) => away > 0).length, 'shards that were away').toBeGreaterThan(1);
  },
  BOUND_MS,
);

async function torture(...flags: string[]): Promise<{ code: number | null; output: string }> {
  const args = ['test/chaos/torture.ts', ...flags];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const bound = setTimeout(() => child.kill('SIGKILL'), BOUND_MS - 5_000);
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const output = await text(child.stdout);
  clearTimeout(bound);
  return { code: await ended, output };
}
