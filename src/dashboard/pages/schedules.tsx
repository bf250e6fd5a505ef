/** Schedules: what comes again, when next, and the switches. */
import type { ScheduleReport } from '../../client/admin.ts';
import { api } from '../api.ts';
import { duration, instant, relative } from '../format.ts';
import { useLive } from '../live.ts';
import { act } from '../parts/notice.tsx';
import { Pager, usePages } from '../parts/pager.tsx';
import { Empty, Loaded } from '../parts/states.tsx';
import { linkTo } from '../route.ts';

export function Schedules() {
  const pages = usePages('schedules');
  const { cursor: from } = pages;
  const live = useLive(`schedules ${from}`, (signal) => api.schedules.list({ cursor: from }, { signal }));
  return (
    <>
      <h1>Schedules</h1>
      <Loaded
        of={live}
        part="schedules"
        show={({ schedules, cursor }) => (
          <>
            {schedules.length === 0 ? <Empty title="There are no schedules" /> : null}
            {schedules.map((schedule) => (
              <ScheduleCard key={schedule.id} schedule={schedule} onChanged={live.reload} />
            ))}
            <Pager pages={pages} cursor={cursor} />
          </>
        )}
      />
    </>
  );
}

function ScheduleCard({ schedule, onChanged }: { schedule: ScheduleReport; onChanged(): void }) {
  const { id, state, queue, lastAt, lastError, tz } = schedule;
  const send = (verb: 'run' | 'pause' | 'resume', done: string) => async () => {
    await act(async () => {
      await api.schedules[verb](id);
      return `${id} ${done}.`;
    });
    onChanged();
  };
  return (
    <section class="card cause">
      <div>
        <h2>
          {id} {state === 'paused' ? <span class="badge paused">paused</span> : null}
        </h2>
        <p>
          <code>{ruleOf(schedule)}</code> into <a href={linkTo(['queues', queue])}>{queue}</a>
        </p>
        <Next schedule={schedule} />
        <p class="dim">
          {lastAt === undefined
            ? 'It has not run yet.'
            : `Last: ${instant(lastAt, tz)}, ${relative(lastAt, Date.now())}`}
        </p>
        {lastError ? <p class="error">{lastError}</p> : null}
      </div>
      <div class="actions">
        <button type="button" class="primary" aria-label={`Run now ${id}`} onClick={send('run', 'has been run')}>
          Run now
        </button>
        {state === 'active' ? (
          <button type="button" aria-label={`Pause ${id}`} onClick={send('pause', 'is paused')}>
            Pause
          </button>
        ) : (
          <button type="button" aria-label={`Resume ${id}`} onClick={send('resume', 'is resumed')}>
            Resume
          </button>
        )}
      </div>
    </section>
  );
}

/** In the schedule's own zone; a period has none, and is shown in the reader's. */
function Next({ schedule: { state, next, tz } }: { schedule: ScheduleReport }) {
  if (state === 'paused') return <p class="dim">It comes again when it is resumed.</p>;
  if (next.length === 0) return <p class="dim">It does not come again.</p>;
  return (
    <dl class="next">
      <dt>Next</dt>
      {next.map((at) => (
        <dd key={at}>
          {instant(at, tz)} <span class="dim">{relative(at, Date.now())}</span>
        </dd>
      ))}
    </dl>
  );
}

function ruleOf({ cron, everyMs, tz }: ScheduleReport): string {
  if (cron) return tz ? `${cron} (${tz})` : cron;
  return everyMs === undefined ? 'no rule' : `every ${duration(everyMs)}`;
}
