/** Progress on stderr while a long run goes on: a line that is rewritten on a terminal, one every few seconds elsewhere. */
export interface Progress {
  /** A new step, on a line of its own. */
  say(step: string): void;
  stop(): void;
}

const TERMINAL_MS = 100;
const LOG_MS = 3_000;

export function startProgress(status: () => string): Progress {
  const { isTTY } = process.stderr;
  const write = () => process.stderr.write(isTTY ? `\r\x1b[K  ${status()}` : `  ${status()}\n`);
  const timer = setInterval(write, isTTY ? TERMINAL_MS : LOG_MS);
  return {
    say: (step) => process.stderr.write(`${isTTY ? '\r\x1b[K' : ''}${step}\n`),
    stop() {
      clearInterval(timer);
      write();
      if (isTTY) process.stderr.write('\n');
    },
  };
}
