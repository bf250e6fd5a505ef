/** Webhook sources: which of them are closed, what came in, and what was turned away for which reason. */
import type { SourceReport } from '../../client/admin.ts';
import { api } from '../api.ts';
import { count, sum } from '../format.ts';
import { useLive } from '../live.ts';
import { NumberHeadings } from '../parts/headings.tsx';
import { Empty, Loaded } from '../parts/states.tsx';

export function Sources() {
  const live = useLive('sources', (signal) => api.sources({ signal }));
  return (
    <>
      <h1>Webhook sources</h1>
      <Loaded
        of={live}
        part="webhook sources"
        show={({ sources }) =>
          sources.length === 0 ? <Empty title="No source is configured" /> : <SourceTable sources={sources} />
        }
      />
    </>
  );
}

function SourceTable({ sources }: { sources: SourceReport[] }) {
  return (
    <div class="card table">
      <table>
        <thead>
          <tr>
            <th scope="col">Source</th>
            <NumberHeadings of={['Accepted', 'Duplicate', 'Ignored', 'Rejected']} />
            <th scope="col">Reasons</th>
          </tr>
        </thead>
        <tbody>
          {sources.map(({ source, provider, open, reason, accepted, duplicates, ignored, rejected }) => (
            <tr key={source}>
              <th scope="row">
                {source}
                {open ? null : <span class="badge failed">closed</span>}
                <small>{provider}</small>
                {open ? null : <Closed reason={reason} />}
              </th>
              <td data-label="Accepted" class="number">
                {count(accepted)}
              </td>
              <td data-label="Duplicate" class="number">
                {count(duplicates)}
              </td>
              <td data-label="Ignored" class="number">
                {count(ignored)}
              </td>
              <td data-label="Rejected" class="number">
                {count(sum(Object.values(rejected)))}
              </td>
              <td data-label="Reasons">
                <div class="badges">
                  {Object.entries(rejected).map(([reason, times]) => (
                    <span key={reason} class="badge failed">
                      {reason} {count(times)}
                    </span>
                  ))}
                </div>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Closed({ reason = 'it has no secret that can be used' }: { reason: string | undefined }) {
  return (
    <small class="error">
      {reason.slice(0, 1).toUpperCase() + reason.slice(1)}. Senders get 503 until it is set:{' '}
      <code>npx wrangler secret put</code>
    </small>
  );
}
