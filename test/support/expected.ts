// What the service is expected to say (scripts/probe/expected.json), for tests that have the emulator say it.
import { EXPECTED, readAnswers } from '../../scripts/probe/answers.ts';

const { answers, unasked } = readAnswers(EXPECTED);

/** @throws where nothing is expected under this name: a test would pass for a mistake in writing */
export function expectedOf(name: string): unknown {
  const { answer } = { ...answers, ...unasked }[name] ?? {};
  if (answer === undefined) throw new RangeError(`nothing is expected of ${name}`);
  return answer;
}

/** Of a command other than the one that was asked for. @param asked that one */
export const expectedFor = (name: string, asked: string, command: string) =>
  String(expectedOf(name)).replace(asked, command);

const IN_SCRIPT = '( script: \\w+, on @user_script:\\d+\\.)?';

/**
 * A text of which some differs each time: any number for `<n>`, any key for `<key>`, and where in a script, as Redis says it behind.
 * @param limit the number behind `Limit:`
 */
export function expectedForm(name: string, limit?: number): RegExp {
  const text = String(expectedOf(name)).replace(/[.*+?^$()|[\]{}\\]/g, '\\$&');
  const limited = limit === undefined ? text : text.replace('Limit: <n>', `Limit: ${limit}`);
  return new RegExp(`^${limited.replaceAll('<n>', '\\d+').replaceAll('<key>', '.+')}${IN_SCRIPT}$`);
}
