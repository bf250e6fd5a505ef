/** One queue: how it goes, its figures per priority, what it allows, and its messages in each state. */
import { type QueueReport, STATES, type State } from '../../client/admin.ts';
import { api } from '../api.ts';
import { count, duration, instant, relative } from '../format.ts';
import { useLive } from '../live.ts';
import { messagesPage } from '../messages.ts';
import { StateBadge } from '../parts/depth.tsx';
import { Pager, usePages } from '../parts/pager.tsx';
import { type Range, RangeChoice, rangeOf } from '../parts/range.tsx';
import { Empty, Loaded } from '../parts/states.tsx';
import { depthOf, leastOf, oldestOf } from '../queues.ts';
import { linkTo } from '../route.ts';
import { MessageTable } from './message-table.tsx';
import { QueueActions } from './queue-actions.tsx';
import { LimitsEditor } from './queue-limits.tsx';
import { QueuePlots } from './queue-plots.tsx';

export function QueuePage({ queue, query }: { queue: string; query: Record<string, string> }) {
  const state: State = STATES.find((one) => one === query.state) ?? 'ready';
  const range = rangeOf(query.range);
  const live = useLive(`queue ${queue}`, (signal) => api.queues.get(queue, { signal }));
  return (
    <>
      <p class="crumbs">
        <a href="#/queues">Queues</a>
      </p>
      <Loaded
        of={live}
        show={(report) => (
          <>
            <div class="title">
              <h1>
                {queue} {report.paused ? <span class="badge paused">paused</span> : null}
                {report.kind === 'unknown' ? <span class="badge failed">not in the code</span> : null}
              </h1>
              <div class="actions">
                <RangeChoice page={['queues', queue]} query={{ state }} range={range} />
                <QueueActions queue={report} onChanged={live.reload} />
              </div>
            </div>
            <Tabs report={report} state={state} range={range} />
            <QueuePlots report={report} range={range} />
            <Policy report={report} onChanged={live.reload} />
          </>
        )}
      />
      <Messages key={state} queue={queue} state={state} />
    </>
  );
}

function Tabs({ report, state, range }: { report: QueueReport; state: State; range: Range }) {
  const depth = depthOf(report);
  return (
    <nav class="tiles" aria-label="Messages by state">
      {STATES.map((one) => (
        <a
          key={one}
          class={`tile ${one}`}
          href={linkTo(['queues', report.queue], { state: one, range })}
          aria-current={one === state ? 'true' : undefined}
        >
          <span>{one}</span>
          <b data-figure={one}>
            {leastOf(report)}
            {count(depth[one])}
          </b>
        </a>
      ))}
      <div class="tile">
        <span>oldest ready</span>
        <b>{oldestOf(report)}</b>
      </div>
    </nav>
  );
}

function Policy({ report, onChanged }: { report: QueueReport; onChanged(): void }) {
  const priorities = Object.entries(report.ready).toSorted(([a], [b]) => Number(a) - Number(b));
  const { kind, priority, attempts, timeoutMs, ordered, limits, overrides, complete } = report;
  const by = (override: unknown) => (override === undefined ? '' : ', set by an operator');
  return (
    <section class="card columns">
      <div>
        <h2>Ready by priority</h2>
        {priorities.length === 0 ? <p class="dim">Nothing is ready.</p> : null}
        <dl class="pairs">
          {priorities.map(([one, ready]) => (
            <div key={one}>
              <dt>
                {one}
                {one === '0' ? ' (first)' : ''}
              </dt>
              <dd class="number">{count(ready)}</dd>
            </div>
          ))}
        </dl>
        {complete ? null : <p class="dim">There is more than was counted: the look at a long backlog is bounded.</p>}
      </div>
      <div>
        <h2>Limits</h2>
        <dl class="pairs">
          <Pair name="Kind" value={KINDS[kind]} />
          {priority === undefined ? null : <Pair name="Priority, if none is given" value={String(priority)} />}
          {attempts === undefined ? null : <Pair name="Attempts" value={count(attempts)} />}
          {timeoutMs === undefined ? null : <Pair name="Time for a handler" value={duration(timeoutMs)} />}
          {ordered === undefined ? null : (
            <Pair name="Order in a group" value={ordered ? 'one at a time' : 'not kept'} />
          )}
          <Pair
            name="In flight at once"
            value={
              limits.concurrency === undefined ? 'no limit' : count(limits.concurrency) + by(overrides.concurrency)
            }
          />
          <Pair
            name="Rate"
            value={
              limits.rate
                ? `${count(limits.rate.limit)} per ${duration(limits.rate.perMs)}${by(overrides.rate)}`
                : 'no limit'
            }
          />
        </dl>
        <LimitsEditor report={report} onChanged={onChanged} />
      </div>
    </section>
  );
}

const KINDS: Record<QueueReport['kind'], string> = {
  push: 'push: delivered by the Worker',
  pull: 'pull: received by consumers',
  unknown: 'not in the code of this deployment: nobody gets what it holds',
};

function Pair({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

const WHEN: Record<State, { title: string; of: 'enqueuedAt' | 'at' }> = {
  ready: { title: 'Enqueued', of: 'enqueuedAt' },
  delayed: { title: 'Due', of: 'at' },
  leased: { title: 'Lease ends', of: 'at' },
  dead: { title: 'Dead since', of: 'at' },
};

function Messages({ queue, state }: { queue: string; state: State }) {
  const pages = usePages(`${queue} ${state}`);
  const { cursor: from } = pages;
  const live = useLive(`messages ${queue} ${state} ${from}`, (signal) => messagesPage(queue, state, from, signal));
  const when = WHEN[state];
  return (
    <section>
      <div class="title">
        <h2>
          Messages <StateBadge state={state} />
        </h2>
        {state === 'dead' ? <a href={linkTo(['dead', queue])}>Redrive or delete</a> : null}
      </div>
      <Loaded
        of={live}
        show={({ messages, cursor }) => (
          <>
            {messages.length === 0 ? (
              <Empty title={cursor ? 'None on this page' : `No message is ${state}`} />
            ) : (
              <MessageTable
                messages={messages}
                when={when.title}
                at={(message) => (
                  <time title={instant(message[when.of])}>{relative(message[when.of], Date.now())}</time>
                )}
              />
            )}
            <Pager pages={pages} cursor={cursor} />
          </>
        )}
      />
    </section>
  );
}
