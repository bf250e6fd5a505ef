/** What a handler threw: what it is, and as text. Anything can be thrown, also what throws when it is looked at: none of these throws. Pure. */

/** So many characters of its text are kept with a message. */
export const KEPT_LENGTH = 500;

/** A thrown Proxy may throw again when it is asked what it is. */
export function isA<Kind extends Error>(error: unknown, kind: abstract new (...args: never[]) => Kind): error is Kind {
  try {
    return error instanceof kind;
  } catch {
    return false;
  }
}

export function describe(error: unknown): string {
  try {
    return error instanceof Error ? `${error.name}: ${error.message}` : `threw ${typeof error}: ${String(error)}`;
  } catch {
    return `threw ${typeof error}`;
  }
}

/** Where it was thrown: the frames of its stack, a line each, without its message; below them those of its cause. */
export function readFrames(error: unknown): string | undefined {
  try {
    if (!(error instanceof Error)) return undefined;
    const { cause } = error;
    const below = cause instanceof Error ? [`caused by ${describe(cause)}`, ...readOwnFrames(cause)] : [];
    return [...readOwnFrames(error), ...below].join('\n') || undefined;
  } catch {
    return undefined;
  }
}

/** A message may have lines that look like frames. */
function readOwnFrames({ stack = '', message }: Error): string[] {
  const at = stack.indexOf(message);
  const behind = at < 0 ? stack : stack.slice(at + message.length);
  return behind.split('\n').filter((line) => /^\s+at /.test(line));
}
