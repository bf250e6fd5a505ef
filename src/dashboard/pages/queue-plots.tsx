/** How one queue goes: what it gets done, what fails, and how long its messages wait and run. */
import type { QueueReport } from '../../client/admin.ts';
import { api } from '../api.ts';
import { useLive } from '../live.ts';
import type { Range } from '../parts/range.tsx';
import { Loaded } from '../parts/states.tsx';
import { ratesOf, StatsPlot, timesOf } from '../parts/stats-plot.tsx';

/** Steps are minutes: they need not be asked for as often as depths. */
const EVERY_MS = 10_000;
const HEIGHT = 120;

export function QueuePlots({ report: { queue, kind }, range }: { report: QueueReport; range: Range }) {
  const live = useLive(`stats ${queue} ${range}`, (signal) => api.stats({ queue, range }, { signal }), EVERY_MS);
  const never = kind === 'pull' ? 'Consumers elsewhere report outcomes only.' : undefined;
  return (
    <Loaded
      of={live}
      part="statistics"
      show={(stats) => (
        <section class="plots small" aria-label="Throughput and times">
          <StatsPlot title="Acked a minute" stats={stats} of={ratesOf('acked')} height={HEIGHT} />
          <StatsPlot
            title="Failed a minute"
            stats={stats}
            of={ratesOf('retried', 'dead', 'leaseExpired')}
            height={HEIGHT}
          />
          <StatsPlot title="Wait" stats={stats} of={timesOf('waitMs', 'p50', 'p95')} never={never} height={HEIGHT} />
          <StatsPlot title="Run" stats={stats} of={timesOf('runMs', 'p50', 'p95')} never={never} height={HEIGHT} />
        </section>
      )}
    />
  );
}
