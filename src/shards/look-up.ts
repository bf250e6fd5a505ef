/** Looking up: what one id stands for is on the shard that the id speaks of, as a rule; else any other may have it. */
import type { Shard } from '../redis/shard.ts';
import type { Fleet } from './fleet.ts';

/**
 * Asks the shard that the id speaks of, and the others side by side where that has nothing of it.
 * @param isFound whether an answer is about something that is there
 * @returns the answer of whoever has it; else that of one that has not
 * @throws StorageError where nobody who answers has it, and one that is away may
 */
export async function lookUp<Answer>(
  fleet: Fleet,
  id: string,
  ask: (shard: Shard) => Promise<Answer>,
  isFound: (answer: Answer) => boolean,
): Promise<Answer> {
  await fleet.ready();
  const hinted = fleet.hinted(id);
  const answered = hinted && (await answerOf(() => ask(hinted)));
  if (answered && 'answer' in answered && isFound(answered.answer)) return answered.answer;
  const others = fleet.all.filter((shard) => shard !== hinted);
  const answers = [
    ...(answered ? [answered] : []),
    ...(await Promise.all(others.map((shard) => answerOf(() => ask(shard))))),
  ];
  const found = answers.find((each) => 'answer' in each && isFound(each.answer));
  if (found && 'answer' in found) return found.answer;
  const failed = answers.find((each) => 'error' in each);
  if (failed && 'error' in failed) throw failed.error;
  return (answers[0] as { answer: Answer }).answer;
}

/** For calls side by side, none of which may end the others. */
export function answerOf<Answer>(ask: () => Promise<Answer>): Promise<{ answer: Answer } | { error: unknown }> {
  return ask().then(
    (answer) => ({ answer }),
    (error: unknown) => ({ error }),
  );
}
