/**
 * The options of a message in words: for the API's document, for the flags of the command line, and before their values where a
 * message is shown. By the names of options.ts: an option without words does not compile. No part of a deployment.
 */
import type { MessageOptions } from './options.ts';

/** How a flag's value is read: as it stands where nothing else is said of it. */
export type FlagReader =
  | 'duration'
  /** Epoch ms, or ISO 8601. */
  | 'instant'
  /** `name=value`, any number of times. */
  | 'pairs'
  | 'json'
  /** A text, or an object of JSON. */
  | 'textOrJson'
  /** A whole number, from the least to the most. */
  | readonly [least: number, most: number];

export interface Flag {
  /** Behind the dashes, where it is not the option's own name. */
  name?: string;
  /** What stands for its value; left out where it takes none. */
  value?: string;
  reader?: FlagReader;
  help: string;
}

export interface OptionDoc {
  /** In the document. */
  meaning: string;
  flag: Flag;
}

/** An option that is an object: each of its fields has a flag. */
export interface OptionOfFieldsDoc<Fields> {
  meaning: string;
  fields: { [Name in keyof Fields]-?: OptionDoc };
}

type OptionDocs = { [Name in keyof Omit<MessageOptions, 'dedup'>]-?: OptionDoc } & {
  dedup: OptionOfFieldsDoc<NonNullable<MessageOptions['dedup']>>;
};

/** In the order of --help. */
export const OPTION_DOCS: OptionDocs = {
  priority: {
    meaning: "0 first. Default: the queue's.",
    flag: { value: '0-9', reader: [0, 9], help: '0 first' },
  },
  delay: {
    meaning: 'Wait before the first delivery.',
    flag: { value: 'duration', reader: 'duration', help: 'wait before the first delivery' },
  },
  notBefore: {
    meaning: "No delivery before this instant, by the server's clock; at most a year from now.",
    flag: { value: 'instant', reader: 'instant', help: 'no delivery before it: ISO 8601 or epoch ms' },
  },
  ttl: {
    meaning: 'Delivered for the first time within this time after it became due, or a dead letter.',
    flag: {
      value: 'duration',
      reader: 'duration',
      help: 'delivered within this time after it became due, or a dead letter',
    },
  },
  group: {
    meaning: 'A tenant, a customer, an entity: groups of one priority take turns.',
    flag: { value: 'group', help: 'groups of one priority take turns' },
  },
  maxAttempts: {
    meaning: "Deliveries after which it becomes a dead letter. Default: the queue's.",
    flag: { value: 'n', reader: [1, 1_000], help: 'deliveries before it is a dead letter' },
  },
  resultTtl: {
    meaning:
      "How long the outcome and the result are kept, to be asked for. Default: the queue's, which is not at all.",
    flag: { value: 'duration', reader: 'duration', help: 'how long its outcome and result are kept' },
  },
  dedup: {
    meaning: 'The same key within the window is the same message.',
    fields: {
      key: {
        meaning: 'Known within the queue.',
        flag: { value: 'key', help: 'the same key within the window is the same message' },
      },
      window: {
        meaning: "How long the key is known after its first message. Default: the queue's, or 5 minutes.",
        flag: { value: 'duration', reader: 'duration', help: 'how long the key is remembered' },
      },
      mode: {
        meaning:
          "`drop`: the new message is dropped. `replace`: the first gets its body while it waits; one that is at work is left, and the new one counts. Default: the queue's, or `drop`.",
        flag: { value: 'mode', help: 'what becomes of the new message: drop, replace, throttle or debounce' },
      },
      release: {
        meaning:
          "The key goes when its message is acked or dead, not only after the window. Default: the queue's, or false.",
        flag: { help: 'the key goes when its message is acked or dead' },
      },
    },
  },
  headers: {
    meaning: 'Texts for whoever handles the message. Those that HTTP may have go to its destination.',
    flag: {
      name: 'header',
      value: 'name=value',
      reader: 'pairs',
      help: 'a text for the handler; any number of them',
    },
  },
  destination: {
    meaning: 'Where it is delivered, for queues whose messages name that: a URL, or more than that.',
    flag: {
      value: 'url',
      reader: 'textOrJson',
      help: 'where it is delivered, for queues whose messages name that: a URL, or an object of JSON',
    },
  },
  onSuccess: {
    meaning: 'Enqueued in the same step in which this message is acked: one, or a list of up to 10.',
    flag: { value: 'json', reader: 'json', help: 'a message that follows when it is acked, or a list of them' },
  },
  onFailure: {
    meaning: 'Enqueued in the same step in which this message becomes a dead letter: one, or a list of up to 10.',
    flag: { value: 'json', reader: 'json', help: 'a message that follows when it is dead, or a list of them' },
  },
};

/** The options that are a fact of their own where a message is shown, and what they are called there. */
export const OPTION_TITLES = {
  priority: 'Priority',
  group: 'Group',
} as const satisfies Partial<Record<keyof MessageOptions, string>>;

/** As rows, in their order. @param message what they are read from */
export function optionRows<Value>(
  message: { [Name in keyof typeof OPTION_TITLES]?: Value | undefined },
): [string, Value | undefined][] {
  const names = Object.keys(OPTION_TITLES) as (keyof typeof OPTION_TITLES)[];
  return names.map((name) => [OPTION_TITLES[name], message[name]]);
}
