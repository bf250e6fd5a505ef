/** The overview: how much goes through, how long it takes, what fails, and how much waits. */
import { useMemo, useRef, useState } from 'hono/jsx/dom';
import { countReady, type QueueReport, STATES, type State, type StatsReport } from '../../client/admin.ts';
import { api } from '../api.ts';
import { count, duration } from '../format.ts';
import { type Live, useLive } from '../live.ts';
import { COUNTS } from '../measures.ts';
import { DepthBar } from '../parts/depth.tsx';
import { Plot } from '../parts/plot.tsx';
import { type Range, RangeChoice } from '../parts/range.tsx';
import { Shards } from '../parts/shards.tsx';
import { Empty, Loaded } from '../parts/states.tsx';
import { type Percentiles, ratesOf, StatsPlot, timesOf } from '../parts/stats-plot.tsx';
import { allQueues, depthOf, everyMsFor, leastOf, oldestOf, totalDepth } from '../queues.ts';
import { linkTo } from '../route.ts';
import { finishedOf } from '../steps.ts';
import { Attention } from './attention.tsx';

export function Overview({ range }: { range: Range }) {
  const [everyMs, setEveryMs] = useState(everyMsFor(0));
  const stats = useLive(`stats ${range}`, (signal) => api.stats({ range }, { signal }));
  const queues = useLive(
    'queues',
    async (signal) => {
      const all = await allQueues(signal);
      setEveryMs(everyMsFor(all.length));
      return all;
    },
    everyMs,
  );
  return (
    <>
      <div class="title">
        <h1>Overview</h1>
        <RangeChoice page={[]} range={range} />
      </div>
      <Attention queues={queues.data} stats={stats.data} />
      <Shards />
      <Loaded of={queues} show={(all) => <Depth queues={all} />} />
      <Loaded of={stats} part="statistics" show={(counters) => <Totals stats={counters} />} />
      <div class="plots">
        {stats.data ? <Plots stats={stats.data} /> : null}
        <DepthPlot queues={queues} />
      </div>
      <Loaded of={queues} show={(all) => <Busiest queues={all} />} />
    </>
  );
}

function Depth({ queues }: { queues: QueueReport[] }) {
  const depth = totalDepth(queues);
  const oldest = Math.min(...queues.map(({ oldestReadyAt = Number.POSITIVE_INFINITY }) => oldestReadyAt));
  const paused = queues.filter((queue) => queue.paused).length;
  const unknown = queues.filter(({ kind }) => kind === 'unknown').length;
  const least = queues.every(({ complete }) => complete) ? '' : '≥ ';
  const leastAge = queues.every(({ oldestComplete }) => oldestComplete) ? '' : '≥ ';
  return (
    <section class="tiles" aria-label="Depth by state">
      {STATES.map((state) => (
        <a key={state} class={`tile ${state}`} href={state === 'dead' ? '#/dead' : '#/queues'}>
          <span>{state}</span>
          <b data-figure={state}>
            {state === 'dead' ? '' : least}
            {count(depth[state])}
          </b>
        </a>
      ))}
      <div class="tile">
        <span>oldest ready</span>
        <b>{Number.isFinite(oldest) ? leastAge + duration(Date.now() - oldest) : '–'}</b>
      </div>
      <div class="tile">
        <span>queues</span>
        <b>{count(queues.length)}</b>
        {paused > 0 ? <small>{count(paused)} paused</small> : null}
        {unknown > 0 ? <small>{count(unknown)} not in the code</small> : null}
      </div>
    </section>
  );
}

function Totals({ stats }: { stats: StatsReport }) {
  const { total, stepMs } = stats;
  const settled = total.acked + total.retried + total.dead;
  const last = finishedOf(stats).at(-1)?.acked;
  const step = stepMs === 60_000 ? 'minute' : duration(stepMs);
  return (
    <section class="tiles" aria-label="Throughput and times">
      <div class="tile">
        <span>acked</span>
        <b data-figure="acked">{count(total.acked)}</b>
        <small>{last === undefined ? '' : `${count(last)} in the last full ${step}`}</small>
      </div>
      <div class="tile">
        <span>failed deliveries</span>
        <b>{count(total.retried + total.dead)}</b>
        <small>{settled > 0 ? `${((100 * (total.retried + total.dead)) / settled).toFixed(1)} % of all` : ''}</small>
      </div>
      <Times name="wait" of={total.waitMs} />
      <Times name="run" of={total.runMs} />
    </section>
  );
}

function Plots({ stats }: { stats: StatsReport }) {
  return (
    <>
      <StatsPlot title="Deliveries a minute" stats={stats} of={ratesOf('acked', 'retried', 'dead')} />
      <StatsPlot title="Wait" stats={stats} of={timesOf('waitMs', 'p50', 'p95', 'p99')} />
      <StatsPlot title="Run" stats={stats} of={timesOf('runMs', 'p50', 'p95', 'p99')} />
    </>
  );
}

function Times({ name, of }: { name: string; of: Percentiles | undefined }) {
  return (
    <div class="tile">
      <span>{name} p95</span>
      <b>{duration(of?.p95)}</b>
      <small>
        p50 {duration(of?.p50)}, p99 {duration(of?.p99)}
      </small>
    </div>
  );
}

const MOST_SAMPLES = 1_800;
const TONES: Record<State, string> = { ready: 'ready', delayed: 'delayed', leased: 'leased', dead: 'dead' };

/** The store keeps no history of depths: this one begins when the page is opened. */
function DepthPlot({ queues: { data } }: { queues: Live<QueueReport[]> }) {
  const samples = useRef<{ at: number; depth: Record<State, number>; of: QueueReport[] }[]>([]);
  const kept = samples.current as { at: number; depth: Record<State, number>; of: QueueReport[] }[];
  if (data && kept.at(-1)?.of !== data) {
    kept.push({ at: Date.now(), depth: totalDepth(data), of: data });
    if (kept.length > MOST_SAMPLES) kept.shift();
  }
  const times = useMemo(() => kept.map(({ at }) => at), [data]);
  const lines = useMemo(
    () => STATES.map((state) => ({ label: state, tone: TONES[state], values: kept.map(({ depth }) => depth[state]) })),
    [data],
  );
  if (!data) return null;
  return (
    <Plot title="Depth since this page was opened" times={times} lines={lines} measure={COUNTS}>
      <strong>All queues are empty</strong>
    </Plot>
  );
}

const SHOWN = 8;

function Busiest({ queues }: { queues: QueueReport[] }) {
  const total = (queue: QueueReport) => countReady(queue) + queue.leased + queue.delayed + queue.dead;
  const busiest = queues.filter((queue) => total(queue) > 0).toSorted((a, b) => total(b) - total(a));
  const most = Math.max(1, ...busiest.map(total));
  return (
    <section class="card">
      <h2>Fullest queues</h2>
      {busiest.length === 0 ? <Empty title="All queues are empty" /> : null}
      <ul class="bars">
        {busiest.slice(0, SHOWN).map((queue) => (
          <li key={queue.queue}>
            <a href={linkTo(['queues', queue.queue])}>{queue.queue}</a>
            <DepthBar depth={depthOf(queue)} of={most} />
            <span class="number">
              {leastOf(queue)}
              {count(total(queue))}
            </span>
            <span class="dim">{queue.oldestReadyAt === undefined ? '' : `oldest ${oldestOf(queue)} ago`}</span>
          </li>
        ))}
      </ul>
      {busiest.length > SHOWN ? <a href="#/queues">All {count(queues.length)} queues</a> : null}
    </section>
  );
}
