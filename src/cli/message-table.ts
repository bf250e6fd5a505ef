/** Messages for people: a table of them, or one in detail. Pure. */
import type { MessageReport, State } from './answers.ts';
import { type Cell, listOf, type Paint, tableOf } from './table.ts';
import { ageOf, instantOf } from './time.ts';
import { shortened } from './visible.ts';

const BODY_WIDTH = 60;
const ERROR_WIDTH = 60;
/** What `at` means. */
const AT: Record<State, string> = { ready: 'at', delayed: 'due', leased: 'lease ends', dead: 'dead since' };

export function messageTable(messages: MessageReport[], state: State, now: number, paint: Paint): string {
  const isDead = state === 'dead';
  const last = isDead ? ['last error'] : ['body'];
  const at = state === 'ready' ? [] : [AT[state]];
  const rows = messages.map((message) => [
    message.id,
    message.priority,
    message.group,
    message.attempt,
    ageOf(message.enqueuedAt, now),
    ...(state === 'ready' ? [] : [instantOf(message.at)]),
    isDead ? lastError(message) : shortened(JSON.stringify(message.body) ?? '', BODY_WIDTH),
  ]);
  return tableOf(['id', 'priority', 'group', 'attempt', 'age', ...at, ...last], rows, paint);
}

export function messageDetail(message: MessageReport, now: number, paint: Paint): string {
  const { state, attempt, maxAttempts, enqueuedAt, at, body, result, failures } = message;
  const entries: [string, Cell][] = [
    ['id', message.id],
    ['state', state === 'dead' ? { text: state, style: 'red' } : state],
    ['queue', message.queue],
    ['priority', message.priority],
    ['group', message.group],
    ['attempt', maxAttempts === undefined ? attempt : `${attempt} of ${maxAttempts}`],
    ['enqueued', instantOf(enqueuedAt)],
    ['age', ageOf(enqueuedAt, now)],
    [AT[state as State] ?? 'at', instantOf(at)],
    ...Object.entries(message.headers ?? {}).map(([name, value]): [string, Cell] => [`header ${name}`, value]),
    ['body', JSON.stringify(body)],
    ['result', JSON.stringify(result)],
    ...failures.map((failure): [string, Cell] => [
      `attempt ${failure.attempt}`,
      { text: `${instantOf(failure.at)}  ${failure.kind}  ${failure.text}`, style: 'red' },
    ]),
  ];
  return listOf(entries, paint);
}

function lastError({ failures }: MessageReport): Cell {
  const last = failures.at(-1);
  return last && { text: shortened(`${last.kind}: ${last.text}`, ERROR_WIDTH), style: 'red' };
}
