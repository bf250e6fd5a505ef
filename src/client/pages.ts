/** Pages: calls that answer a part and a cursor, made again until there is no more. */
import type { Purged } from './wire-types.ts';

interface Page {
  cursor?: string | undefined;
}

/**
 * Reads page after page, while there is a cursor.
 * @param ask the call; its first cursor is undefined
 * @throws what `ask` throws
 * @example for await (const { queues } of readPages((cursor) => admin.queues.list({ cursor }))) print(queues)
 */
export async function* readPages<Part extends Page>(
  ask: (cursor: string | undefined) => Promise<Part>,
): AsyncGenerator<Part, void> {
  let cursor: string | undefined;
  do {
    const page = await ask(cursor);
    yield page;
    cursor = page.cursor || undefined;
  } while (cursor !== undefined);
}

/**
 * Purges until nothing is left: the server works in bounded steps.
 * @param step one call, with where the last ended
 * @param onStep told how many have gone so far
 * @returns how many went
 * @throws what `step` throws; what went until then is gone
 * @example await purgeAll((from) => admin.queues.purge('mail', { states: ['dead'], ...from }))
 */
export async function purgeAll(
  step: (from: { cursor?: string }) => Promise<Purged>,
  onStep: (purged: number) => void = () => {},
): Promise<number> {
  let total = 0;
  let from: { cursor?: string } = {};
  for (let more = true; more; ) {
    const answer = await step(from);
    total += answer.purged;
    more = answer.more;
    from = answer.cursor === undefined ? {} : { cursor: answer.cursor };
    onStep(total);
  }
  return total;
}
