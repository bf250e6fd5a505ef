/** Reading the values of options: a bad one is wrong usage, told before anything is sent. */
import { InvalidArgumentError, Option } from 'commander';
import { parseDuration } from '../formats/duration.ts';

/** An option with a default that --help shows in words. */
export function withDefault<Value>(
  flags: string,
  description: string,
  read: (text: string) => Value,
  standard: Value,
  words: string,
): Option {
  return new Option(flags, description).argParser(read).default(standard, words);
}

/** @returns a reader of whole numbers */
export function whole(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
  };
}

/** @returns ms */
export function duration(text: string): number {
  const ms = parseDuration(/^\d+$/.test(text) ? Number(text) : text);
  if (ms !== undefined) return ms;
  throw new InvalidArgumentError('It must be milliseconds, or text such as 90s, 5m or 1h30m.');
}

/** Messages in each period: 100/1m. @returns with the period in ms */
export function rate(text: string): { limit: number; per: number } {
  const [, limit, per] = /^(\d{1,7})\/(\w+)$/.exec(text) ?? [];
  if (limit === undefined || per === undefined) throw new InvalidArgumentError('It must be such as 100/1m.');
  return { limit: Number(limit), per: duration(per) };
}

/** What an option takes, or `none`. Not null: commander makes an empty text of it. */
export function orNone<Value>(read: (text: string) => Value): (text: string) => Value | 'none' {
  return (text) => (text === 'none' ? text : read(text));
}

/** @returns ms, of an interval at which to ask a server */
export function interval(text: string): number {
  const ms = duration(text);
  if (ms >= 100) return ms;
  throw new InvalidArgumentError('It must be at least 100ms.');
}

/** One of a list. */
export function oneOf<Value extends string>(values: readonly Value[]): (text: string) => Value {
  return (text) => {
    const value = values.find((known) => known === text);
    if (value !== undefined) return value;
    throw new InvalidArgumentError(`It must be one of ${values.join(', ')}.`);
  };
}

/** Some of a list, with commas between. */
export function someOf<Value extends string>(values: readonly Value[]): (text: string) => Value[] {
  return (text) => text.split(',').map(oneOf(values));
}

/** NAME=VALUE, any number of times. */
export function pair(text: string, before: Record<string, string> = {}): Record<string, string> {
  const at = text.indexOf('=');
  if (at > 0) return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
  throw new InvalidArgumentError('It must be NAME=VALUE.');
}

/** For --help: the lines that show how a command is used. */
export function examples(...lines: string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join('\n')}`;
}
