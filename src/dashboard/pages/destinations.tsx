/** HTTP destinations: which of them fail, and whether they get messages meanwhile. */
import { get } from '../api.ts';
import { count, relative } from '../format.ts';
import { useLive } from '../live.ts';
import { Pager, usePages } from '../parts/pager.tsx';
import { Empty, Loaded } from '../parts/states.tsx';
import { linkTo } from '../route.ts';
import type { Destination, DestinationPage } from '../types.ts';

const MEANS: Record<Destination['state'], string> = {
  closed: 'it has failed, and still gets its messages',
  open: 'nothing is sent to it',
  probing: 'one message at a time is tried',
};

export function Destinations() {
  const pages = usePages('destinations');
  const query = pages.cursor ? `?${new URLSearchParams({ cursor: pages.cursor })}` : '';
  const live = useLive(`destinations ${pages.cursor}`, (signal) =>
    get<DestinationPage>(`/v1/destinations${query}`, signal),
  );
  return (
    <>
      <h1>Destinations</h1>
      <Loaded
        of={live}
        part="HTTP destinations"
        show={({ destinations, cursor }) => (
          <>
            {destinations.length === 0 ? (
              <Empty title="No destination has a state">Breakers are kept only for destinations that failed.</Empty>
            ) : (
              <DestinationTable destinations={destinations} />
            )}
            <Pager pages={pages} cursor={cursor} />
          </>
        )}
      />
    </>
  );
}

function DestinationTable({ destinations }: { destinations: Destination[] }) {
  return (
    <div class="card table">
      <table>
        <thead>
          <tr>
            <th scope="col">Destination of</th>
            <th scope="col">Breaker</th>
            <th scope="col" class="number">
              Failures in a row
            </th>
            <th scope="col">Until</th>
          </tr>
        </thead>
        <tbody>
          {destinations.map(({ queue, group, state, failures, until }) => (
            <tr key={`${queue}/${group ?? ''}`}>
              <th scope="row">
                <a href={linkTo(['queues', queue])}>{queue}</a>
                {group === undefined ? null : <small>group {group}</small>}
              </th>
              <td data-label="Breaker">
                <span>
                  <span class={`badge breaker-${state}`}>{state}</span> <span class="dim">{MEANS[state]}</span>
                </span>
              </td>
              <td data-label="Failures" class="number">
                {count(failures)}
              </td>
              <td data-label="Until">{relative(until, Date.now())}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
