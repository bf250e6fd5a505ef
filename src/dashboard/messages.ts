/** Pages of a queue's messages, as full as they can be: the API ends one at the end of each lane. */
import type { MessagePage, MessageReport, State } from '../client/admin.ts';
import { api } from './api.ts';

const ROWS = 50;
/** A page is worth so many calls. */
const MOST_CALLS = 6;

/** @param from the cursor of the page before */
export async function messagesPage(
  queue: string,
  state: State,
  from: string | undefined,
  signal: AbortSignal,
): Promise<MessagePage> {
  const messages: MessageReport[] = [];
  let cursor = from;
  for (let calls = 0; calls < MOST_CALLS && messages.length < ROWS; calls++) {
    const page = await api.queues.messages(queue, { state, limit: ROWS - messages.length, cursor }, { signal });
    messages.push(...page.messages);
    cursor = page.cursor;
    if (cursor === undefined) return { messages };
  }
  return { messages, cursor };
}
