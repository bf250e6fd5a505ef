/** Messages for people: a table of them, or one in detail. Pure. */
import type { MessageFailure, MessageReport, State } from '../client/admin.ts';
import { optionRows } from '../message/options.doc.ts';
import { type Cell, listOf, type Paint, type Screen, tableOf } from './table.ts';
import { ageOf, fromNow, instantOf } from './time.ts';

/** What `at` means. */
const AT: Record<State, string> = { ready: 'at', delayed: 'due', leased: 'lease ends', dead: 'died' };

export function messageTable(messages: MessageReport[], state: State, now: number, screen: Screen): string {
  const isDead = state === 'dead';
  const last = isDead ? ['last error'] : ['body'];
  const at = state === 'ready' ? [] : [AT[state]];
  const rows = messages.map((message) => [
    message.id,
    message.priority,
    message.group,
    message.attempt,
    ageOf(message.enqueuedAt, now),
    ...(state === 'ready' ? [] : [fromNow(message.at, now)]),
    isDead ? lastError(message) : JSON.stringify(message.body),
  ]);
  return tableOf(['id', 'priority', 'group', 'attempt', 'age', ...at, ...last], rows, screen);
}

export function messageDetail(message: MessageReport, now: number, paint: Paint): string {
  const { state, attempt, maxAttempts, enqueuedAt, at, destination, method, body, result, failures } = message;
  const entries: [string, Cell][] = [
    ['id', message.id],
    ['state', state === 'dead' ? { text: state, style: 'red' } : state],
    ['queue', message.queue],
    ...optionRows<Cell>(message).map(([title, value]): [string, Cell] => [title.toLowerCase(), value]),
    ['attempt', maxAttempts === undefined ? attempt : `${attempt} of ${maxAttempts}`],
    ['enqueued', instantOf(enqueuedAt)],
    ['age', ageOf(enqueuedAt, now)],
    [AT[state as State] ?? 'at', instantOf(at)],
    ...Object.entries(message.headers ?? {}).map(([name, value]): [string, Cell] => [`header ${name}`, value]),
    ['destination', destination && [method, destination].filter(Boolean).join(' ')],
    ['body', JSON.stringify(body)],
    ...rawOf(message),
    ['result', JSON.stringify(result)],
    ...failures.flatMap(failureLines),
  ];
  return listOf(entries, paint);
}

function rawOf({ raw }: MessageReport): [string, Cell][] {
  if (!raw) return [];
  const { type, text, base64 = '' } = raw;
  if (text !== undefined) return [[`raw ${type}`, text]];
  return [[`raw ${type}`, `${Buffer.from(base64, 'base64').length} bytes, in base64: ${base64}`]];
}

function failureLines({ attempt, at, kind, text, stack }: MessageFailure): [string, Cell][] {
  const frames = stack?.split('\n') ?? [];
  return [
    [`attempt ${attempt}`, { text: `${instantOf(at)}  ${kind}  ${text}`, style: 'red' }],
    ...frames.map((frame): [string, Cell] => ['', { text: `  ${frame}`, style: 'dim' }]),
  ];
}

function lastError({ failures }: MessageReport): Cell {
  const last = failures.at(-1);
  return last && { text: `${last.kind}: ${last.text}`, style: 'red' };
}
