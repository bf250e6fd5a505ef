/** What can be done to dead letters. Each answers whether it was done. */
import { type RedriveRequest, SluiceError } from '../../client/admin.ts';
import { api } from '../api.ts';
import { count } from '../format.ts';
import { confirmed } from '../parts/confirm.tsx';
import { act } from '../parts/notice.tsx';

/** As many as one call takes. */
const MOST = 1_000;

export function redriveLetters(queue: string, ids: string[]): Promise<boolean> {
  return redrive(queue, { ids: ids.slice(0, MOST) });
}

export async function redriveOldest(queue: string): Promise<boolean> {
  const text = 'They are ready again, from their first attempt. What made them fail should be mended first.';
  if (!(await confirmed('Redrive the oldest 1,000?', text, 'Redrive'))) return false;
  return redrive(queue, { limit: MOST });
}

function redrive(queue: string, which: RedriveRequest): Promise<boolean> {
  return act(async () => {
    const { messages } = await api.deadLetters.redrive(queue, which);
    const well = messages.filter(({ status }) => status === 'redriven').length;
    const rest = messages.length - well;
    return `${count(well)} redriven${rest > 0 ? `, ${count(rest)} could not be: they are gone, or nothing is left of them` : ''}.`;
  });
}

/** One call each; so many at once as a browser sends to one host. */
const AT_ONCE = 6;

export async function deleteLetters(ids: string[]): Promise<boolean> {
  const title = ids.length === 1 ? 'Delete this dead letter?' : `Delete ${count(ids.length)} dead letters?`;
  if (!(await confirmed(title, 'This cannot be undone.', 'Delete'))) return false;
  return act(async () => {
    const left = [...ids];
    await Promise.all(Array.from({ length: AT_ONCE }, () => deleteAll(left)));
    return `${count(ids.length)} deleted.`;
  });
}

async function deleteAll(left: string[]): Promise<void> {
  for (let id = left.pop(); id !== undefined; id = left.pop()) {
    await api.messages.cancel(id).catch((error: unknown) => {
      if (!(error instanceof SluiceError && error.code === 'unknown_message')) throw error; // gone is what was asked for
    });
  }
}
