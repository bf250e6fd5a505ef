/** What must hold of one database's ceilings, and what the page says of them. Pure. */
import { type Demand, most } from '../demand.ts';
import { growthDemands } from '../demands.ts';
import type { CallTimes, CeilingFigures, Results } from '../figures.ts';
import { short } from '../plot.ts';
import { growthTable, machineText, table, whole } from '../tables.ts';

const TEXT = `## The ceilings of one database

A run of its own (\`npm run bench -- --only ceilings --to 10M\`), as "Growth" above: shards of each size side by side in one \`redis-server\`. *Dead* are
dead letters with a failure each. The largest records are those of \`MEMORY USAGE\`, of all keys but strings, such as envelopes, of which each page of
a scan shows its largest. Calls are those of the API, in the process that measures, medians. Two do more where there is more, within bounds: delayed
messages are counted one by one as far as a call goes, and a page of a deep audit looks for each message of it in its lane.`;

const MOST_BYTES = 100_000_000;
const MOST_TIMES = 3;
const SYNC_BYTES = 8_192;
const SYNC_TIMES = 1.2;

const mb = (bytes: number) => (bytes / 1e6).toFixed(1);

export function ceilingDemands({ kinds, limited, leases, due }: CeilingFigures): Demand[] {
  const calls = kinds.flatMap((kind) => kind.calls.map((times) => ({ ...times, kind: kind.line.dimension })));
  const slowest = calls.toSorted((a, b) => timesOf(b) - timesOf(a))[0];
  const largest = kinds.flatMap(({ records }) => records).toSorted((a, b) => b.bytes - a.bytes)[0];
  const [one, many] = limited;
  const held = leases.at(-1);
  const found: Demand[] = growthDemands(kinds.map(({ line }) => line));
  if (largest) {
    const holds = largest.bytes <= MOST_BYTES;
    found.push({
      what: 'largest record',
      asked: '≤ 100 MB',
      measured: `${mb(largest.bytes)} MB, ${largest.key}`,
      holds,
    });
  }
  if (slowest) {
    const ratio = timesOf(slowest);
    const measured = `${ratio.toFixed(1)} times at most: ${slowest.call}, ${slowest.kind}`;
    found.push({
      what: 'each API call, most : a thousand',
      asked: `≤ ${MOST_TIMES} times`,
      measured,
      holds: ratio <= MOST_TIMES,
    });
  }
  if (one && many) {
    found.push(most(`bytes of a sync, ${short(many.queues)} queues with limits`, SYNC_BYTES, many.bytes, 0));
    found.push(most(`its script time, times that of ${one.queues}`, SYNC_TIMES, many.micros / one.micros, 2));
  }
  if (held) {
    const holds = held.complete && held.leased === held.leases && held.findings + held.incomplete.length === 0;
    const measured = `${whole(held.leased)} counted${held.complete ? '' : ', not complete'}; found where nothing is wrong: ${held.findings}; not judged: ${held.incomplete.join(', ') || 'nothing'}`;
    found.push({ what: `counts and deep audit, ${short(held.leases)} leases`, asked: 'complete', measured, holds });
  }
  for (const { ms, count, moved, seconds } of due) {
    const measured = moved < count ? `${whole(moved)} in ${seconds.toFixed(0)} s` : `${seconds.toFixed(1)} s`;
    found.push({
      what: `${short(count)} timers due at once, ${ms} ms away`,
      asked: 'seconds',
      measured,
      holds: moved >= count && seconds < 60,
    });
  }
  return found;
}

const timesOf = ({ ms }: CallTimes) => (ms.at(-1)?.ms ?? 0) / (ms[0]?.ms || 1);

export function ceilingTables({ kinds, limited, leases, due }: CeilingFigures): string[] {
  return [
    growthTable(kinds.map(({ line }) => line)),
    table(
      ['', 'record', 'MB'],
      kinds.flatMap(({ line, records }) => records.map(({ key, bytes }) => [line.dimension, `\`${key}\``, mb(bytes)])),
    ),
    ...kinds.map(({ line, calls }) =>
      table(
        [`${line.dimension}: each call, ms`, ...line.points.map(({ size }) => whole(size)), 'times'],
        calls.map((times) => [times.call, ...times.ms.map(({ ms }) => ms.toFixed(2)), timesOf(times).toFixed(1)]),
      ),
    ),
    table(
      ['queues with limits', 'bytes of a sync', 'its script, µs'],
      limited.map(({ queues, bytes, micros }) => [whole(queues), whole(bytes), whole(micros)]),
    ),
    table(
      [
        'leases',
        'counts, ms',
        'counted, complete',
        'list leased, ms',
        'whole deep audit, ms',
        'its pages',
        'findings',
        'not judged',
      ],
      leases.map((one) => [
        whole(one.leases),
        one.countsMs.toFixed(1),
        `${whole(one.leased)}, ${one.complete ? 'yes' : 'NO'}`,
        one.browseMs.toFixed(1),
        whole(one.auditMs),
        String(one.pages),
        String(one.findings),
        one.incomplete.join(', ') || '–',
      ]),
    ),
    table(
      ['timers due at once', 'round trip, ms', 'moved', 'seconds', 'sweeps'],
      due.map(({ count, ms, moved, seconds, sweeps }) => [
        whole(count),
        String(ms),
        whole(moved),
        seconds.toFixed(1),
        String(sweeps),
      ]),
    ),
  ];
}

export const ceilingSection = ({ machine, ...figures }: NonNullable<Results['ceilings']>) =>
  [TEXT, ...ceilingTables(figures), machineText(machine)].join('\n\n');
