/** Pages of a queue's messages, as full as they can be: the API ends one at the end of each lane. */
import { get, path } from './api.ts';
import type { MessagePage, MessageReport, State } from './types.ts';

const ROWS = 50;
/** A page is worth so many calls. */
const MOST_CALLS = 6;

export async function messagesPage(
  queue: string,
  state: State,
  from: string,
  signal?: AbortSignal,
): Promise<MessagePage> {
  const messages: MessageReport[] = [];
  let cursor: string | undefined = from;
  for (let calls = 0; calls < MOST_CALLS && cursor !== undefined && messages.length < ROWS; calls++) {
    const query = new URLSearchParams({ state, limit: String(ROWS - messages.length), cursor });
    const page: MessagePage = await get(path`/v1/queues/${queue}/messages?` + query, signal);
    messages.push(...page.messages);
    cursor = page.cursor;
  }
  return cursor === undefined ? { messages } : { messages, cursor };
}
