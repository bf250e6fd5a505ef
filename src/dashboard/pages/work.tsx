/** Leases: who holds messages now, until when, and whether drains run. */
import type { LeasePage } from '../../client/admin.ts';
import { api } from '../api.ts';
import { count, relative, sum } from '../format.ts';
import { useLive } from '../live.ts';
import { NumberHeadings } from '../parts/headings.tsx';
import { act } from '../parts/notice.tsx';
import { Pager, usePages } from '../parts/pager.tsx';
import { Empty, Loaded } from '../parts/states.tsx';
import { linkTo } from '../route.ts';

export function Work() {
  const pages = usePages('leases');
  const { cursor: from } = pages;
  const live = useLive(`leases ${from}`, (signal) => api.leases({ limit: 50, cursor: from }, { signal }));
  const sweep = async () => {
    await act(async () => {
      const swept = await api.sweep();
      return `Swept: ${count(swept.fired)} timers fired, ${count(swept.requeued)} messages given back, ${count(swept.dead)} died, ${count(swept.repaired)} repairs.`;
    });
    live.reload();
  };
  return (
    <>
      <div class="title">
        <h1>Leases</h1>
        <button type="button" onClick={sweep}>
          Sweep now
        </button>
      </div>
      <Loaded
        of={live}
        show={(page) => (
          <>
            <Drains page={page} />
            {page.leases.length === 0 ? (
              <Empty title="Nobody holds messages">Drains and consumers appear here while they work.</Empty>
            ) : (
              <Leases page={page} />
            )}
            <Pager pages={pages} cursor={page.cursor} />
          </>
        )}
      />
    </>
  );
}

function Drains({ page: { now, awake, sleepsUntil, leases } }: { page: LeasePage }) {
  const held = leases.filter(({ kind }) => kind === 'drain');
  return (
    <section class="tiles" aria-label="Drains">
      <div class="tile">
        <span>drains with messages</span>
        <b>{count(held.length)}</b>
      </div>
      <div class="tile">
        <span>consumers with messages</span>
        <b>{count(leases.length - held.length)}</b>
      </div>
      <div class="tile">
        <span>drain requested</span>
        <b>{awake ? 'yes' : 'no'}</b>
        <small>in the last 5 s</small>
      </div>
      <div class="tile">
        <span>sleeping drain wakes</span>
        <b>{relative(sleepsUntil, now)}</b>
      </div>
    </section>
  );
}

function Leases({ page: { now, leases } }: { page: LeasePage }) {
  const areMany = leases.some(({ shard }) => shard !== undefined);
  return (
    <div class="card table">
      <table>
        <thead>
          <tr>
            <th scope="col">Lease</th>
            {areMany ? <th scope="col">Shard</th> : null}
            <th scope="col">Held by</th>
            <NumberHeadings of={['Messages']} />
            <th scope="col">Of queue</th>
            <th scope="col">Expires</th>
          </tr>
        </thead>
        <tbody>
          {leases.map(({ lease, shard, kind, held, queues, expiresAt }) => (
            <tr key={`${lease} ${shard}`}>
              <th scope="row" class="id">
                {lease}
              </th>
              {areMany ? <td data-label="Shard">{shard}</td> : null}
              <td data-label="Held by">{kind === 'drain' ? 'a drain of the Worker' : 'a consumer'}</td>
              <td data-label="Messages" class="number">
                {count(held)}
              </td>
              <td data-label="Of queue">
                <Held queues={queues} held={held} />
              </td>
              <td data-label="Expires">{relative(expiresAt, now)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** What a lease holds is not listed by itself: it is among what is leased of its queues. Counts are of the 20 newest. */
function Held({ queues, held }: Pick<LeasePage['leases'][number], 'queues' | 'held'>) {
  const isAll = sum(Object.values(queues)) === held;
  return (
    <>
      {Object.entries(queues).map(([queue, some]) => (
        <a key={queue} class="list" href={linkTo(['queues', queue], { state: 'leased' })}>
          {isAll ? `${queue} (${count(some)})` : queue}
        </a>
      ))}
    </>
  );
}
