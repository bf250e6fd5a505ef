/** The results as tables in Markdown, which a terminal shows well enough too. Pure. */
import { demandsOf } from './demands.ts';
import type { GrowthLine, Machine, PeerFigures, Results, Spread } from './figures.ts';
import { FORMS, type Form } from './measures/enqueue.ts';
import { short } from './plot.ts';

export function table(headings: string[], rows: string[][]): string {
  return [headings, headings.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

export const whole = (value: number) => Math.round(value).toLocaleString('en-US');
export const spread = (value: Spread | undefined) =>
  value ? `${whole(value.median)} (${short(value.low)} to ${short(value.high)})` : '–';

export function machineText({ cores, cpu, memoryGb, node, redis, loadBefore, loadAfter }: Machine): string {
  return (
    `${cores} cores (${cpu}), ${memoryGb} GB, Node ${node}, Redis ${redis}; ` +
    `load average ${loadBefore.toFixed(2)} before, ${loadAfter.toFixed(2)} after.`
  );
}

export function speedTable(figures: PeerFigures[]): string {
  const reference = figures.find(({ name }) => name.startsWith('BullMQ, concurrency 100'))?.drain?.median;
  return table(
    ['', 'drain, messages/s', 'to BullMQ ×100', 'both at once', 'wake p50 / p99, ms', 'lost / doubled'],
    figures.map(({ name, drain, both, wake, lost, doubled, messages, failed }) => [
      name,
      spread(drain),
      drain && reference ? `${(drain.median / reference).toFixed(2)}` : '–',
      spread(both),
      wake ? `${wake.p50.toFixed(1)} / ${wake.p99.toFixed(1)}` : '–',
      `${lost} / ${doubled} of ${whole(messages)}${failed.length > 0 ? `; FAILED ${failed.join('; ')}` : ''}`,
    ]),
  );
}

export function enqueueTable(figures: PeerFigures[]): string {
  const forms = Object.keys(FORMS) as Form[];
  return table(
    ['messages/s', ...forms],
    figures
      .filter(({ enqueue }) => Object.keys(enqueue).length > 0)
      .map(({ name, enqueue }) => [name, ...forms.map((form) => spread(enqueue[form]))]),
  );
}

export function commandTable(figures: PeerFigures[]): string {
  const arrivals = ['lone', '10/s', '100/s', 'saturated', 'idle minute'] as const;
  return table(
    ['commands / HTTP requests', ...arrivals, 'bytes in Redis'],
    figures
      .filter(({ cost }) => Object.keys(cost).length > 0)
      .map(({ name, cost, bytes }) => [
        name,
        ...arrivals.map((arrival) => {
          const each = cost[arrival];
          return each ? `${each.commands.toFixed(2)} / ${each.requests.toFixed(2)}` : '–';
        }),
        bytes ? whole(bytes) : '–',
      ]),
  );
}

export function growthTable(lines: GrowthLine[]): string {
  return table(
    ['', 'size', 'drain, messages/s', 'to the least size', 'Redis itself, µs per message', 'enqueue one p50 / p99, ms'],
    lines.flatMap(({ dimension, points }) =>
      points.map(({ size, rate, serverMicros, p50, p99 }) => [
        dimension,
        size.toLocaleString('en-US'),
        spread(rate),
        (rate.median / (points[0]?.rate.median ?? 1)).toFixed(2),
        serverMicros.toFixed(1),
        `${p50.toFixed(2)} / ${p99.toFixed(2)}`,
      ]),
    ),
  );
}

export function demandTable(results: Results): string {
  const word = (holds: boolean | undefined) => (holds === undefined ? '–' : holds ? 'yes' : '**NO**');
  return table(
    ['', 'asked', 'measured', 'holds'],
    demandsOf(results).map(({ what, asked, measured, holds }) => [what, asked, measured, word(holds)]),
  );
}
