/** HTTP destinations: which of them fail, and whether they get messages meanwhile. */
import type { DestinationReport } from '../../client/admin.ts';
import { api } from '../api.ts';
import { count, relative } from '../format.ts';
import { useLive } from '../live.ts';
import { NumberHeadings } from '../parts/headings.tsx';
import { Pager, usePages } from '../parts/pager.tsx';
import { Empty, Loaded } from '../parts/states.tsx';
import { linkTo } from '../route.ts';

const MEANS: Record<DestinationReport['state'], string> = {
  closed: 'it has failed, and still gets its messages',
  open: 'nothing is sent to it',
  probing: 'one message at a time is tried',
};

export function Destinations() {
  const pages = usePages('destinations');
  const { cursor: from } = pages;
  const live = useLive(`destinations ${from}`, (signal) => api.destinations({ cursor: from }, { signal }));
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

function DestinationTable({ destinations }: { destinations: DestinationReport[] }) {
  return (
    <div class="card table">
      <table>
        <thead>
          <tr>
            <th scope="col">Destination of</th>
            <th scope="col">Breaker</th>
            <NumberHeadings of={['Failures in a row']} />
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
