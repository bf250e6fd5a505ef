/** The overview: how much goes through, how long it takes, what fails, and how much waits. */
import { useMemo, useRef, useState } from 'hono/jsx/dom';
import { get } from '../api.ts';
import { count, duration } from '../format.ts';
import { type Live, useLive } from '../live.ts';
import { DepthBar } from '../parts/depth.tsx';
import { type Line, Plot } from '../parts/plot.tsx';
import { Empty, Loaded } from '../parts/states.tsx';
import { allQueues, depthOf, everyMsFor, leastOf, oldestOf, readyOf, totalDepth } from '../queues.ts';
import { linkTo } from '../route.ts';
import { type Figures, type Percentiles, type QueueReport, STATES, type State, type Stats } from '../types.ts';

type Range = '1h' | '24h';

export function Overview({ range }: { range: Range }) {
  const [everyMs, setEveryMs] = useState(everyMsFor(0));
  const stats = useLive(`stats ${range}`, (signal) => get<Stats>(`/v1/stats?range=${range}`, signal));
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
        <fieldset class="choice">
          <legend class="hidden">Time shown</legend>
          {(['1h', '24h'] as const).map((choice) => (
            <a key={choice} href={linkTo([], { range: choice })} aria-current={choice === range ? 'true' : undefined}>
              {choice === '1h' ? '1 hour' : '24 hours'}
            </a>
          ))}
        </fieldset>
      </div>
      <Loaded of={queues} show={(all) => <Depth queues={all} />} />
      <Loaded of={stats} part="statistics" show={(figures) => <Totals stats={figures} />} />
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

const line = (
  stats: Stats,
  label: string,
  tone: string,
  pick: (point: Figures) => number | null | undefined,
): Line => ({
  label,
  tone,
  values: stats.points.map((point) => pick(point) ?? null),
});

const percentiles = (stats: Stats, of: 'waitMs' | 'runMs'): Line[] => [
  line(stats, 'p50', 'calm', (point) => point[of]?.p50),
  line(stats, 'p95', 'warm', (point) => point[of]?.p95),
  line(stats, 'p99', 'hot', (point) => point[of]?.p99),
];

function Totals({ stats: { total, points, stepMs } }: { stats: Stats }) {
  const perMinute = stepMs / 60_000;
  const settled = total.acked + total.retried + total.dead;
  const last = points.at(-1);
  return (
    <section class="tiles" aria-label="Throughput and times">
      <div class="tile">
        <span>acked</span>
        <b data-figure="acked">{count(total.acked)}</b>
        <small>{last ? `${count(Math.round(last.acked / perMinute))} a minute now` : ''}</small>
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

function Plots({ stats }: { stats: Stats }) {
  const times = stats.points.map(({ at }) => at);
  const rate = (pick: (point: Figures) => number) => (point: Figures) => (pick(point) * 60_000) / stats.stepMs;
  return (
    <>
      <Plot
        title="Deliveries a minute"
        times={times}
        show={(value) => count(Number(value.toFixed(1)))}
        lines={[
          line(
            stats,
            'acked',
            'calm',
            rate(({ acked }) => acked),
          ),
          line(
            stats,
            'retried',
            'warm',
            rate(({ retried }) => retried),
          ),
          line(
            stats,
            'dead',
            'hot',
            rate(({ dead }) => dead),
          ),
        ]}
      />
      <Plot title="Wait" times={times} show={duration} lines={percentiles(stats, 'waitMs')} />
      <Plot title="Run" times={times} show={duration} lines={percentiles(stats, 'runMs')} />
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
    <Plot
      title="Depth since this page was opened"
      times={times}
      lines={lines}
      show={(value) => count(Math.round(value))}
    />
  );
}

const SHOWN = 8;

function Busiest({ queues }: { queues: QueueReport[] }) {
  const total = (queue: QueueReport) => readyOf(queue) + queue.leased + queue.delayed + queue.dead;
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
