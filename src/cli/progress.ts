/** Progress on stderr: a bar that is rewritten on a terminal, a line every few seconds elsewhere. */
export interface Progress {
  /** @param share of the whole, 0 to 1, where it is known */
  at(text: string, share?: number): void;
  /** Clears the bar. */
  end(): void;
}

const TERMINAL_MS = 100;
const LOG_MS = 5_000;
const WIDTH = 24;

export function startProgress(): Progress {
  const isTerminal = process.stderr.isTTY === true;
  let shownAt = isTerminal ? 0 : Date.now(); // what is over soon needs no line in a log
  return {
    at(text, share) {
      if (Date.now() - shownAt < (isTerminal ? TERMINAL_MS : LOG_MS)) return;
      shownAt = Date.now();
      const line = `${share === undefined ? '' : `${barOf(share)} `}${text}`;
      process.stderr.write(isTerminal ? `\r\x1b[K${line}` : `${line}\n`);
    },
    end() {
      if (isTerminal) process.stderr.write('\r\x1b[K');
    },
  };
}

export function barOf(share: number): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * WIDTH);
  return `[${'#'.repeat(full)}${'.'.repeat(WIDTH - full)}] ${Math.floor(Math.min(1, share) * 100)}%`;
}
