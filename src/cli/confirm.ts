/** Confirmation: before something is destroyed, a person says yes, or a script said --yes. */
import { createInterface } from 'node:readline/promises';
import { Failure, UsageError } from './failure.ts';
import { visible } from './visible.ts';

/** The option of every command that destroys. */
export const YES = ['--yes', 'do it without asking'] as const;

/**
 * @param what is going to happen, as a sentence without its end: "Purge 12 messages of reports"
 * @throws UsageError where nobody can be asked; Failure where the answer is not yes
 */
export async function confirm(what: string, { yes }: { yes?: boolean }): Promise<void> {
  if (yes) return;
  if (!process.stdin.isTTY) throw new UsageError(`${what}? Nobody is here to confirm it: say --yes`);
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  const gone = new Promise<string>((resolve) => prompt.once('close', () => resolve(''))); // Ctrl-C, Ctrl-D
  const asked = prompt.question(`${visible(what)}? [y/N] `).catch(() => '');
  const answer = await Promise.race([asked, gone]).finally(() => prompt.close());
  if (!/^y(es)?$/i.test(answer.trim())) throw new Failure('not confirmed; nothing was changed');
}
