/** What the page says of distance. Pure. */
import type { FarFigures, Line, Results } from '../figures.ts';
import { lines as linesPlot } from '../plot.ts';
import { machineText, spread, table } from '../tables.ts';

const TEXT = `## Far from Redis

The same, where each round trip takes a while: a TCP proxy, in a process of its own, holds back what passes by half of the round trip in
each direction, in its order and with the bandwidth of the loopback, in front of the emulator for who comes over HTTP and in front of
\`redis-server\` for who comes over TCP. A connection is open at once, which is no different for anybody. What the proxy really makes of it, by a
PING over TCP: `;

const READING = `- *drain*: of a backlog that was put in from near and takes about half a second, or 25 round trips. Ours is what a long one takes longer than a short one, so that neither
  a sweep before, nor the look that finds nothing more, nor the thousand messages after which a drain takes further leases count. BullMQ's
  begins with its first handler, because it fetches its hundred jobs one after another before.
- *wake*: from the call that enqueues to the handler, in round trips as they were measured one right after the other, and in what a lone
  PING over HTTP takes with the same pauses between, in which all who take part have gone to sleep. Of the Worker it has the way of the POST
  into Miniflare and of its handler's word to the outbox besides.
- "One lease" and more have batches of 100; "as it comes" is what nobody has set. Several drains are several calls at once, in one process.
  Two, eight leases and several drains: at 20 ms alone.`;

export function farText(lines: Line[]): string {
  const told = lines.map(({ ms, p50, p95, lone }) => {
    return `${ms} ms are ${p50.toFixed(1)} (p95 ${p95.toFixed(1)}${lone === undefined ? '' : `; a lone request over HTTP ${lone.toFixed(1)}`})`;
  });
  return `${told.join(', ')}.`;
}

export function farTable(lines: Line[], figures: FarFigures[]): string {
  return table(
    ['drain, messages/s; lost / doubled', ...lines.map(({ ms }) => `${ms} ms`), ''],
    figures.map(({ name, points, lost, doubled, messages, failed }) => [
      name,
      ...lines.map(({ ms }) => spread(points.find((point) => point.ms === ms)?.drain)),
      `${lost} / ${doubled} of ${messages.toLocaleString('en-US')}${failed.length > 0 ? `; FAILED ${failed.join('; ')}` : ''}`,
    ]),
  );
}

/** Going in, and how soon it is handled. */
export function farCallsTable(lines: Line[], figures: FarFigures[]): string {
  const rows = figures.filter(({ points }) => points.some(({ enqueue }) => Object.keys(enqueue).length > 0));
  return table(
    [
      '',
      'round trip, ms',
      'enqueue one at a time, messages/s',
      'four batches of 1,000',
      'wake p50 / p99, ms',
      'p50 in round trips',
      'in lone requests',
    ],
    rows.flatMap(({ name, points }) =>
      points.map(({ ms, enqueue, wake }) => {
        const { p50: trip = ms, lone } = lines.find((line) => line.ms === ms) ?? {};
        return [
          name,
          String(ms),
          spread(enqueue['one at a time']),
          spread(enqueue['four batches of 1,000']),
          wake ? `${wake.p50.toFixed(1)} / ${wake.p99.toFixed(1)}` : '–',
          wake ? (wake.p50 / trip).toFixed(2) : '–',
          wake && lone ? (wake.p50 / lone).toFixed(2) : '–',
        ];
      }),
    ),
  );
}

export function farSection({ machine, rounds, lines, figures }: NonNullable<Results['rtt']>, plots: string): string {
  return [
    TEXT + farText(lines),
    `![Drain rate by distance](${plots}/rtt.svg)`,
    farTable(lines, figures),
    farCallsTable(lines, figures),
    READING,
    `${machineText(machine)} ${rounds} rounds.`,
  ].join('\n\n');
}

export function farPlot(figures: FarFigures[]): string {
  const data = figures
    .filter(({ points }) => points.length > 1)
    .map(({ name, points }) => ({
      label: name.replace('Sluice, ', ''),
      points: points.flatMap(({ ms, drain }) => (drain ? [{ x: ms, y: drain.median }] : [])),
    }));
  return linesPlot('Drain rate by the round trip to Redis', 'messages/s by ms', data, true);
}
