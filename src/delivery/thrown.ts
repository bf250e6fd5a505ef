/** What a handler threw, as text. Anything can be thrown, also what cannot be turned into text: none of these throws. Pure. */

export function describe(error: unknown): string {
  try {
    return error instanceof Error ? `${error.name}: ${error.message}` : `threw ${typeof error}: ${String(error)}`;
  } catch {
    return `threw ${typeof error}`;
  }
}

/** Where it was thrown: the frames of its stack, a line each, without its message; below them those of its cause. */
export function framesOf(error: unknown): string | undefined {
  try {
    if (!(error instanceof Error)) return undefined;
    const { cause } = error;
    const below = cause instanceof Error ? [`caused by ${describe(cause)}`, ...ownFrames(cause)] : [];
    return [...ownFrames(error), ...below].join('\n') || undefined;
  } catch {
    return undefined;
  }
}

/** A message may have lines that look like frames. */
function ownFrames({ stack = '', message }: Error): string[] {
  const at = stack.indexOf(message);
  const behind = at < 0 ? stack : stack.slice(at + message.length);
  return behind.split('\n').filter((line) => /^\s+at /.test(line));
}
