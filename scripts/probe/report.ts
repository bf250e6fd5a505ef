/** What a probe found, for people: a line for each part, and of those that differ what was expected and who says so. Pure. */
import type { Answer, Compared, Json } from './answers.ts';
import { DEAR } from './dear-questions.ts';
import type { Question } from './question.ts';

/** Of one value: an error of the service fits, a page does not. */
const MOST_SHOWN = 300;

/** A short request and its reply. */
const BYTES_OF_ONE = 1_000;

export function tableOf(rows: Compared[]): string {
  const width = Math.max(...rows.map(({ name }) => name.length));
  return rows
    .map((row) => `${row.verdict.padEnd(7)}  ${row.name.padEnd(width)}  ${shown(row.found)}${expectedOf(row, width)}`)
    .join('\n');
}

function expectedOf({ verdict, expected }: Compared, width: number): string {
  if (verdict !== 'differs' || expected?.answer === undefined) return '';
  return `\n${' '.repeat(width + 11)}expected ${shown(expected.answer)} (${sourceOf(expected)})`;
}

function sourceOf({ source, from, date }: Answer): string {
  if (source === 'unknown') return 'assumed: nobody says';
  return [source, date, from].filter(Boolean).join(', ');
}

function shown(value: Json | undefined): string {
  if (value === undefined) return '-';
  const text = JSON.stringify(value);
  return text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}…` : text;
}

export function summaryOf(rows: Compared[]): string {
  const number = (verdict: Compared['verdict']) => rows.filter((row) => row.verdict === verdict).length;
  const parts = [
    `${number('same')} as expected`,
    `${number('differs')} differ`,
    `${number('new')} new, of which nobody said what to expect`,
  ];
  if (number('open') > 0) parts.push(`${number('open')} not answered`);
  return parts.join(', ');
}

/** What they cost, the removal of their keys among it. */
export function costOf(questions: readonly Question[]): { commands: number; bytes: number } {
  const commands = questions.reduce((sum, question) => sum + question.commands + 1, 0);
  const bytes = questions.reduce((sum, question) => sum + (question.bytes ?? 0), BYTES_OF_ONE * commands);
  return { commands, bytes };
}

export function listOf(questions: readonly Question[]): string {
  const marked = (question: Question) => (DEAR.includes(question) ? `${question.name} (with --all)` : question.name);
  return questions.map((question) => `${marked(question)}\n    ${question.asks}\n    ${question.matters}`).join('\n');
}
