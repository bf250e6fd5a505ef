/** The queues, page by page: what is in them, how old it is, and what they allow. */
import { useState } from 'hono/jsx/dom';
import { count } from '../format.ts';
import { useLive } from '../live.ts';
import { DepthBar } from '../parts/depth.tsx';
import { Pager, usePages } from '../parts/pager.tsx';
import { Empty, Loaded } from '../parts/states.tsx';
import { depthOf, leastOf, oldestOf, queuesPage, readyOf } from '../queues.ts';
import { linkTo } from '../route.ts';
import type { QueueReport } from '../types.ts';
import { QueueActions } from './queue-actions.tsx';

const ROWS = 50;

export function Queues() {
  const [search, setSearch] = useState('');
  const pages = usePages(search);
  const { cursor } = pages;
  const live = useLive(`queues ${search} ${cursor}`, (signal) => queuesPage({ limit: ROWS, cursor, search }, signal));
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

function QueueTable({ queues, onChanged }: { queues: QueueReport[]; onChanged(): void }) {
  return (
    <div class="card table compact">
      <table>
        <thead>
          <tr>
            <th scope="col">Queue</th>
            <th scope="col">Depth</th>
            <th scope="col" class="number">
              Ready
            </th>
            <th scope="col" class="number">
              Delayed
            </th>
            <th scope="col" class="number">
              Leased
            </th>
            <th scope="col" class="number">
              Dead
            </th>
            <th scope="col" class="number">
              Oldest
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
          {kind === 'unknown' ? 'nobody gets what it holds' : `${kind}, priority ${priority}, ${attempts} attempts`}
        </small>
      </th>
      <td data-label="Depth">
        <DepthBar depth={depthOf(queue)} />
      </td>
      <td data-label="Ready" class="number">
        {least}
        {count(readyOf(queue))}
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
      <td class="actions">
        <QueueActions queue={queue} onChanged={onChanged} />
      </td>
    </tr>
  );
}
