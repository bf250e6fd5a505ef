/** How much of a queue is in which state: a channel whose parts are as wide as they are full. */
import { STATES, type State } from '../../client/admin.ts';
import { count, sum } from '../format.ts';

export function DepthBar({ depth, of }: { depth: Record<State, number>; of?: number }) {
  const total = sum(Object.values(depth));
  const scale = Math.max(of ?? total, 1);
  const text = STATES.map((state) => `${count(depth[state])} ${state}`).join(', ');
  return (
    <div class="depth" role="img" aria-label={text} title={text}>
      {STATES.map((state) => (
        <span key={state} class={`fill ${state}`} style={{ width: `${(100 * depth[state]) / scale}%` }} />
      ))}
    </div>
  );
}

export function StateBadge({ state }: { state: string }) {
  return <span class={`badge ${state}`}>{state}</span>;
}
