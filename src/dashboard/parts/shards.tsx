/** The shards of the deployment and whether each answers; nothing where there is one. */
import { api } from '../api.ts';
import { useLive } from '../live.ts';

export function Shards() {
  const { data } = useLive('shards', (signal) => api.health({ signal }), 10_000);
  const shards = data?.shards;
  if (!shards) return null;
  const answering = shards.filter(({ status }) => status !== 'down').length;
  return (
    <section class="card" aria-label="Shards">
      <h2>Shards</h2>
      <p>
        {shards.map(({ shard, status }) => (
          <span key={shard} class={`badge ${status === 'down' ? 'failed' : status}`}>
            {shard}: {status}
          </span>
        ))}
      </p>
      {answering < shards.length ? (
        <p>
          {answering} of {shards.length} shards answer: what the others own stands still, and no figure here has it.
        </p>
      ) : null}
    </section>
  );
}
