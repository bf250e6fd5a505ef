/** A process of ours that answers: each question gets one answer, and where it ends instead, that is an error. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';

export interface Child<First> {
  /** What it said when it was ready. */
  first: First;
  ask<Answer>(question: unknown): Promise<Answer>;
  /** It ends by itself when nobody is connected. */
  end(): void;
}

/** @param name for the error that says that it has ended */
export async function startChild<First>(name: string, file: string, args: string[]): Promise<Child<First>> {
  const child = fork(file, args);
  const first = (await answerOf(child, name)) as First;
  return {
    first,
    async ask<Answer>(question: unknown) {
      child.send(question as object);
      return (await answerOf(child, name)) as Answer;
    },
    end: () => child.disconnect(),
  };
}

async function answerOf(child: ChildProcess, name: string): Promise<unknown> {
  const done = new AbortController(); // else each question leaves a listener behind
  const { signal } = done;
  const gone = once(child, 'exit', { signal }).then(() => {
    throw new Error(`${name} ended`);
  });
  try {
    const [answer] = await Promise.race([once(child, 'message', { signal }), gone]);
    return answer;
  } finally {
    gone.catch(() => {});
    done.abort();
  }
}
