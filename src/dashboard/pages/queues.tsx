/** The queues, page by page: what is in them, how old it is, and what they allow. */
import { useState } from 'hono/jsx/dom';
import { countReady, type QueueReport } from '../../client/admin.ts';
import { api } from '../api.ts';
import { count, duration } from '../format.ts';
import { useLive } from '../live.ts';
import { COUNTS } from '../measures.ts';
import { DepthBar } from '../parts/depth.tsx';
import { NumberHeadings } from '../parts/headings.tsx';
import { Pager, usePages } from '../parts/pager.tsx';
import { Empty, Loaded } from '../parts/states.tsx';
import { depthOf, leastOf, oldestOf } from '../queues.ts';
import { linkTo } from '../route.ts';
import { QueueActions } from './queue-actions.tsx';

const ROWS = 50;

export function Queues() {
  const [search, setSearch] = useState('');
  const pages = usePages(search);
  const { cursor } = pages;
  const live = useLive(`queues ${search} ${cursor}`, (signal) =>
    api.queues.list({ limit: ROWS, cursor, search, recent: 'true' }, { signal }),
  );
  return (
    <>
      <div class="title">
        <h1>Queues</h1>
        <label class="hidden" htmlFor="queue-name">
          Part of a queue's name
        </label>
        <input
          id="queue-name"
          type="search"
          placeholder="Part of a name"
          autocomplete="off"
          spellcheck={false}
          value={search}
          onInput={(event) => setSearch((event.target as HTMLInputElement).value.replace(/[^A-Za-z0-9_.-]/g, ''))}
        />
      </div>
      <Loaded
        of={live}
        show={({ queues, cursor: next }) => (
          <>
            {queues.length === 0 ? (
              <Empty title={search ? 'No queue has this in its name' : 'This deployment has no queues'} />
            ) : (
              <QueueTable queues={queues} onChanged={live.reload} />
            )}
            <Pager pages={pages} cursor={next} />
          </>
        )}
      />
    </>
  );
}

const KINDS = { push: 'push', pull: 'pull' };

const RECENT_MINUTES = 10;
const RECENT = `In the last ${RECENT_MINUTES} minutes that are over`;

function QueueTable({ queues, onChanged }: { queues: QueueReport[]; onChanged(): void }) {
  return (
    <div class="card table compact">
      <table>
        <thead>
          <tr>
            <th scope="col">Queue</th>
            <NumberHeadings of={['Ready', 'Delayed', 'Leased', 'Dead', 'Oldest']} />
            <th scope="col" class="number" title={RECENT}>
              Acked/min
              <small>failed</small>
            </th>
            <th scope="col" class="number" title={RECENT}>
              Wait p95
              <small>run p95</small>
            </th>
            <th scope="col">
              <span class="hidden">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {queues.map((queue) => (
            <QueueRow key={queue.queue} queue={queue} onChanged={onChanged} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function QueueRow({ queue, onChanged }: { queue: QueueReport; onChanged(): void }) {
  const { queue: name, kind, priority, attempts, delayed, leased, dead, paused } = queue;
  const least = leastOf(queue);
  return (
    <tr>
      <th scope="row">
        <a href={linkTo(['queues', name])}>{name}</a>
        {paused ? <span class="badge paused">paused</span> : null}
        {kind === 'unknown' ? <span class="badge failed">not in the code</span> : null}
        <small>
          {kind === 'unknown'
            ? 'nobody gets what it holds'
            : `${KINDS[kind]}, priority ${priority}, ${attempts} attempts`}
        </small>
        <DepthBar depth={depthOf(queue)} />
      </th>
      <td data-label="Ready" class="number">
        {least}
        {count(countReady(queue))}
      </td>
      <td data-label="Delayed" class="number">
        {least}
        {count(delayed)}
      </td>
      <td data-label="Leased" class="number">
        {least}
        {count(leased)}
      </td>
      <td data-label="Dead" class="number">
        {dead > 0 ? <a href={linkTo(['dead', name])}>{count(dead)}</a> : '0'}
      </td>
      <td data-label="Oldest" class="number">
        {oldestOf(queue)}
      </td>
      <Recent of={queue.recent} />
      <td class="actions">
        <QueueActions queue={queue} onChanged={onChanged} />
      </td>
    </tr>
  );
}

/** How it went lately. */
function Recent({ of }: { of: QueueReport['recent'] }) {
  const { acked = 0, retried = 0, dead = 0, waitMs, runMs } = of ?? {};
  const failed = retried + dead;
  const part = failed > 0 ? `${((100 * failed) / (acked + failed)).toFixed(1)} %` : 'none';
  return (
    <>
      <td data-label="Acked/min" class="number recent">
        {COUNTS.show(acked / RECENT_MINUTES)}
        <small>{part} failed</small>
      </td>
      <td data-label="Wait p95" class="number recent">
        {duration(waitMs?.p95)}
        <small>run {duration(runMs?.p95)}</small>
      </td>
    </>
  );
}
