/** What needs an operator now, each with the page that says more. */
import type { QueueReport, StatsReport } from '../../client/admin.ts';
import { api } from '../api.ts';
import { isCronRunning } from '../cron.ts';
import { count, relative, sum } from '../format.ts';
import { useLive } from '../live.ts';

/** Asked for less often than counters. */
const EVERY_MS = 15_000;

interface Seen {
  queues: QueueReport[] | undefined;
  stats: StatsReport | undefined;
}

export function Attention({ queues = [], stats }: Seen) {
  const outgoing = useLive('outgoing', (signal) => api.destinations({}, { signal }), EVERY_MS);
  const incoming = useLive('incoming', (signal) => api.sources({ signal }), EVERY_MS);
  const down = (outgoing.data?.destinations ?? []).filter(({ state }) => state !== 'closed').length;
  const closed = (incoming.data?.sources ?? []).filter(({ open }) => !open).length;
  const paused = queues.filter((queue) => queue.paused).length;
  const unknown = queues.filter(({ kind }) => kind === 'unknown').length;
  const dead = sum(queues.map((queue) => queue.dead));
  const found = [
    stats && !isCronRunning(stats) ? ['health', cronText(stats)] : [],
    down > 0 ? ['destinations', `${things(down, 'destination')} failing: the breaker is open`] : [],
    closed > 0 ? ['sources', `${things(closed, 'webhook source')} closed: a secret is missing or cannot be used`] : [],
    unknown > 0 ? ['health', `${things(unknown, 'queue')} not in the code`] : [],
    paused > 0 ? ['queues', `${things(paused, 'queue')} paused`] : [],
    dead > 0 ? ['dead', `${things(dead, 'dead letter')}`] : [],
  ].filter(([page]) => page);
  if (found.length === 0) return null;
  return (
    <section class="card attention" aria-label="Needs attention">
      <strong>Needs attention</strong>
      {found.map(([page, text]) => (
        <a key={text} href={`#/${page}`}>
          {text}
        </a>
      ))}
    </section>
  );
}

const cronText = ({ lastSweepAt, now }: StatsReport) =>
  lastSweepAt === undefined ? 'No sweep has run yet' : `Cron is late: the last sweep was ${relative(lastSweepAt, now)}`;

const things = (number: number, name: string) => `${count(number)} ${name}${number === 1 ? '' : 's'}`;
