/**
 * The log: what went wrong behind an answer, a line of JSON each: `{"level", "event", …}`. Never a body, a token or the text
 * of an unknown error, but where a developer asks for it on this machine.
 */
export type LogFields = Record<string, string | number>;

/** @param event what happened, in the same words each time @param fields to whom: queue, id, attempt, kind */
export function logError(event: string, fields: LogFields = {}): void {
  // biome-ignore lint/suspicious/noConsole: with the two below, all that writes to the Worker's log
  console.error(JSON.stringify({ level: 'error', event, ...fields }));
}

/** What is tried again, or was not worth failing for. */
export function logWarning(event: string, fields: LogFields = {}): void {
  // biome-ignore lint/suspicious/noConsole: as above
  console.warn(JSON.stringify({ level: 'warn', event, ...fields }));
}

/** What may be told of an unknown error: its text may hold anything. */
export const nameOfError = (error: unknown): string => (error instanceof Error ? error.name : typeof error);

/** What a handler or a schema threw, for a developer's terminal: it may hold anything. */
export function printFailure({ text, stack }: { text: string; stack?: string | undefined }): void {
  // biome-ignore lint/suspicious/noConsole: as above
  console.error(stack ? `${text}\n${stack}` : text);
}
