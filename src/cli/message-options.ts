/** The options of a message, as flags of a command. */
import { type Command, Option } from 'commander';
import type { Outgoing } from '../client/index.ts';
import { type Flag, OPTION_DOCS } from '../message/options.doc.ts';
import { jsonOf } from './json.ts';
import { duration, pair, whole } from './options.ts';

type MessageOptions = NonNullable<Outgoing['options']>;

/** A flag, and which option it gives, or which field of one. */
interface OptionFlag extends Flag {
  name: string;
  option: string;
  field?: string;
}

const FLAGS: OptionFlag[] = Object.entries(OPTION_DOCS).flatMap(([option, doc]) =>
  'flag' in doc
    ? [{ name: dashed(option), ...doc.flag, option }]
    : Object.entries(doc.fields).map(([field, { flag }]) => ({
        name: dashed(`${option}-${field}`),
        ...flag,
        option,
        field,
      })),
);

export function addMessageOptions(command: Command): Command {
  for (const flag of FLAGS) command.addOption(commandOption(flag));
  return command;
}

/** As the API takes them, from what commander made of the flags. Dedup options without a key go too: the API says what is missing. */
export function messageOptions(flags: object): MessageOptions {
  const options: Record<string, unknown> = {};
  for (const flag of FLAGS) {
    const given = (flags as Record<string, unknown>)[commandOption(flag).attributeName()];
    if (given === undefined) continue;
    const value = typeof given === 'string' ? readText(given, flag) : given;
    options[flag.option] = flag.field ? { ...(options[flag.option] as object), [flag.field]: value } : value;
  }
  return options as MessageOptions;
}

function commandOption({ name, value, help, reader }: OptionFlag): Option {
  const option = new Option(value ? `--${name} <${value}>` : `--${name}`, help);
  if (reader === 'duration') return option.argParser(duration);
  if (reader === 'pairs') return option.argParser(pair);
  return typeof reader === 'object' ? option.argParser(whole(...reader)) : option;
}

/** What stays text where commander reads it. */
function readText(text: string, { name, reader }: OptionFlag): unknown {
  if (reader === 'instant') return /^\d+$/.test(text) ? Number(text) : text;
  return reader === 'json' || (reader === 'textOrJson' && text.startsWith('{')) ? jsonOf(text, `--${name}`) : text;
}

function dashed(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
