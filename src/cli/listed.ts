/** Listed messages on their way back in: what `--json` printed of them, without what only says what became of them. Pure. */

/** Of a message in a list; an enqueue has no such fields. */
const REPORTED = ['id', 'state', 'attempt', 'enqueuedAt', 'at', 'raw', 'result', 'failures'];

/** The messages of a whole list: `{"messages": […]}`. */
export function pageIn(value: unknown): unknown[] | undefined {
  const { body, messages } = (value ?? {}) as { body?: unknown; messages?: unknown };
  return body === undefined && Array.isArray(messages) ? messages : undefined;
}

/** A message that was not listed stays as it is: in one that somebody wrote, such a field is a mistake. */
export function withoutReport(message: object): object {
  if (!('state' in message && 'failures' in message)) return message;
  return Object.fromEntries(Object.entries(message).filter(([name]) => !REPORTED.includes(name)));
}
