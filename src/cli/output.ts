/** Output: values for machines, text for people, on stdout; everything else goes to stderr. */
import { styleText } from 'node:util';
import type { Paint, Screen } from './table.ts';
import { visible } from './visible.ts';

export interface Output extends Readonly<Screen> {
  readonly isJson: boolean;
  /** The result: one JSON value, or the text. */
  show(value: unknown, text: () => string): void;
  /** One of a stream: a line of JSON, or of text. @returns when it was taken, so that it can be acknowledged after that */
  emit(value: unknown, text: () => string): Promise<void>;
  /** A remark, on stderr. */
  say(text: string): void;
}

export function openOutput(isJson: boolean): Output {
  const write = (value: unknown, text: () => string) => {
    const shown = isJson ? visible(JSON.stringify(value)) : text();
    return shown === '' ? '' : `${shown}\n`; // of nothing not even a line
  };
  return {
    isJson,
    paint: paintFor(process.stdout.isTTY === true, process.env),
    width: process.stdout.isTTY ? process.stdout.columns : Number.POSITIVE_INFINITY,
    show: (value, text) => void process.stdout.write(write(value, text)),
    emit: (value, text) =>
      new Promise((resolve, reject) => {
        process.stdout.write(write(value, text), (error) => (error ? reject(error) : resolve()));
      }),
    say: (text) => void process.stderr.write(`${text}\n`),
  };
}

/** Colour only on a terminal, and never with NO_COLOR (https://no-color.org). */
export function paintFor(isTerminal: boolean, env: Record<string, string | undefined>): Paint {
  const isColoured = isTerminal && !env.NO_COLOR && env.TERM !== 'dumb';
  return isColoured ? (style, text) => styleText(style, text, { validateStream: false }) : (_, text) => text;
}
