/** The log: what went wrong behind an answer. Never a body, a token or the text of an unknown error. */
export function logError(text: string): void {
  // biome-ignore lint/suspicious/noConsole: the one place that writes to the Worker's log
  console.error(`sluice: ${text}`);
}
