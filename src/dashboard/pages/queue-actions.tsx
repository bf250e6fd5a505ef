/** What can be done to a queue: pause, resume, purge. */
import { purgeAll, type QueueReport, type State } from '../../client/admin.ts';
import { api } from '../api.ts';
import { count } from '../format.ts';
import { confirmed } from '../parts/confirm.tsx';
import { act } from '../parts/notice.tsx';

export async function confirmPurge(queue: string, states: Exclude<State, 'leased'>[], what: string): Promise<boolean> {
  const sure = await confirmed(
    `Purge ${queue}?`,
    `${what} is deleted. This cannot be undone. Leased messages stay with their consumers.`,
    'Purge',
  );
  if (!sure) return false;
  return act(async () => {
    const purged = await purgeAll((from) => api.queues.purge(queue, { states, ...from }));
    return `${count(purged)} messages of ${queue} are gone.`;
  });
}

export function QueueActions({ queue: { queue, paused }, onChanged }: { queue: QueueReport; onChanged(): void }) {
  const turn = async () => {
    const verb = paused ? 'resume' : 'pause';
    await act(async () => {
      await api.queues[verb](queue);
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
