/** The options of a message, as flags of a command. */
import type { Command } from 'commander';
import type { Outgoing } from '../client/index.ts';
import { jsonOf } from './json.ts';
import { duration, pair, whole } from './options.ts';

type MessageOptions = NonNullable<Outgoing['options']>;

export interface MessageFlags {
  priority?: number;
  delay?: number;
  notBefore?: string;
  ttl?: number;
  group?: string;
  maxAttempts?: number;
  retention?: number;
  dedupKey?: string;
  dedupWindow?: number;
  dedupMode?: string;
  dedupRelease?: true;
  header?: Record<string, string>;
  destination?: string;
  onSuccess?: string;
  onDeath?: string;
}

export function addMessageOptions(command: Command): Command {
  return command
    .option('--priority <0-9>', '0 first', whole(0, 9))
    .option('--delay <duration>', 'wait before the first delivery', duration)
    .option('--not-before <instant>', 'no delivery before it: ISO 8601 or epoch ms')
    .option('--ttl <duration>', 'delivered within this time after it became due, or a dead letter', duration)
    .option('--group <group>', 'groups of one priority take turns')
    .option('--max-attempts <n>', 'deliveries before it is a dead letter', whole(1, 1_000))
    .option('--retention <duration>', 'how long its outcome and result are kept', duration)
    .option('--dedup-key <key>', 'the same key within the window is the same message')
    .option('--dedup-window <duration>', 'how long the key is remembered', duration)
    .option('--dedup-mode <mode>', 'what becomes of the new message: drop, replace, throttle or debounce')
    .option('--dedup-release', 'the key goes when its message is acked or dead')
    .option('--header <name=value>', 'a text for the handler; any number of them', pair)
    .option(
      '--destination <url>',
      'where it is delivered, for queues whose messages name that: a URL, or an object of JSON',
    )
    .option('--on-success <json>', 'a message that follows when it is acked, or a list of them')
    .option('--on-death <json>', 'a message that follows when it is dead, or a list of them');
}

/** As the API takes them. Dedup options without a key go too: the API says what is missing. */
export function messageOptions(flags: MessageFlags): MessageOptions {
  const { dedupKey: key, dedupWindow: window, dedupMode: mode, dedupRelease: release, notBefore, header } = flags;
  const { priority, delay, ttl, group, maxAttempts, retention, destination, onSuccess, onDeath } = flags;
  const dedup = present({ key, window, mode, release });
  return present({
    priority,
    delay,
    notBefore: notBefore !== undefined && /^\d+$/.test(notBefore) ? Number(notBefore) : notBefore,
    ttl,
    group,
    maxAttempts,
    retention,
    dedup: Object.keys(dedup).length > 0 ? dedup : undefined,
    headers: header,
    destination: destination?.startsWith('{') ? jsonOf(destination, '--destination') : destination,
    onSuccess: onSuccess === undefined ? undefined : jsonOf(onSuccess, '--on-success'),
    onDeath: onDeath === undefined ? undefined : jsonOf(onDeath, '--on-death'),
  }) as MessageOptions;
}

function present(options: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
