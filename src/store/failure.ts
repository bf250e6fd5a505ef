/** Failures as the scripts keep them: a line for each delivery that did not end well. Pure. */

/** One delivery that did not end well. */
export interface Failure {
  attempt: number;
  /** Epoch ms. */
  at: number;
  kind: string;
  text: string;
  /** Where a handler's error was thrown: its first frames, a line each. */
  stack?: string;
}

/** Scores are instants whose fraction of a ms keeps what shares it in its order. */
export const parseScore = (score: string | undefined) => Math.floor(Number(score));

/** @param line `<attempt> <at> <kind> <text>`, and behind the text the frames of a stack, a tab before each */
export function parseFailure(line: string): Failure {
  const [, attempt, at, kind = '', kept = ''] = /^(\d+) (\d+) (\S+) (.*)$/.exec(line) ?? [];
  const [text = '', ...frames] = kept.split('\t');
  const stack = frames.length > 0 ? { stack: frames.join('\n') } : {};
  return { attempt: Number(attempt), at: Number(at), kind, text, ...stack };
}
