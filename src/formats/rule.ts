/** A rule of ours in a schema. */
import type * as z from 'zod/mini';

/**
 * As `z.refine` makes it, for which zod has a kind of schema of its own: nothing else here needs that, and a Worker carries it.
 * @param path of what the message is about, below the value
 */
export function rule<Value>(holds: (value: Value) => boolean, message: string, path: string[] = []) {
  return ({ value, issues }: z.core.ParsePayload<Value>): void => {
    if (!holds(value)) issues.push({ code: 'custom', message, path: [...path], input: value, continue: true });
  };
}
