/** What can be done to a queue: pause, resume, purge. */
import { call, path } from '../api.ts';
import { count } from '../format.ts';
import { confirmed } from '../parts/confirm.tsx';
import { act } from '../parts/notice.tsx';
import type { Purged, QueueReport, State } from '../types.ts';

/** Asked again while there is more: each call works for a few seconds. @returns how many went */
async function purge(queue: string, states: Exclude<State, 'leased'>[]): Promise<number> {
  let purged = 0;
  let from: { cursor?: string } = {};
  for (let more = true; more; ) {
    const step = await call<Purged>('POST', path`/v1/queues/${queue}/purge`, { states, ...from });
    purged += step.purged;
    more = step.more;
    from = step.cursor === undefined ? {} : { cursor: step.cursor };
  }
  return purged;
}

export async function confirmPurge(queue: string, states: Exclude<State, 'leased'>[], what: string): Promise<boolean> {
  const sure = await confirmed(
    `Purge ${queue}?`,
    `${what} is deleted. This cannot be undone. Leased messages stay with their consumers.`,
    'Purge',
  );
  if (!sure) return false;
  return act(async () => `${count(await purge(queue, states))} messages of ${queue} are gone.`);
}

export function QueueActions({ queue: { queue, paused }, onChanged }: { queue: QueueReport; onChanged(): void }) {
  const turn = async () => {
    const verb = paused ? 'resume' : 'pause';
    await act(async () => {
      await call('POST', path`/v1/queues/${queue}/` + verb);
      return paused ? `${queue} is resumed.` : `${queue} is paused: nothing of it is given out.`;
    });
    onChanged();
  };
  const empty = async () => {
    if (await confirmPurge(queue, ['ready', 'delayed'], 'Every message that is ready or delayed')) onChanged();
  };
  return (
    <>
      <button type="button" onClick={turn} aria-label={`${paused ? 'Resume' : 'Pause'} ${queue}`}>
        {paused ? 'Resume' : 'Pause'}
      </button>
      <button type="button" class="danger" onClick={empty} aria-label={`Purge ${queue}`}>
        Purge
      </button>
    </>
  );
}
