/** Contracts: what a producer has to know of a queue, and nothing of who handles its messages. Types only. */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { Duration } from '../formats/duration.ts';
import type { Priority } from '../message/message.ts';
import type { DestinationPolicy } from './destination.ts';

export type DedupMode = 'drop' | 'replace' | 'throttle' | 'debounce';

export interface DedupPolicy {
  /** How long a key is known after its first message. Default 5 minutes. */
  window?: Duration;
  /**
   * 'drop' the new message (default), or 'replace' the body of the first while it waits; 'throttle' lets one through in each
   * window; 'debounce' waits until no more came for a window, and delivers the last.
   */
  mode?: DedupMode;
  /** Forget the key when its message is acked or dead. Default: only after the window. */
  release?: boolean;
}

/**
 * What of a queue has one shard as its home, where there are several. 'group': each group. 'any': each request, or what shares a
 * dedup key.
 */
export type Partition = 'group' | 'any';

/** Who works on the messages of a queue: a deployment, by a handler or a destination, or consumers elsewhere, who receive them. */
export type QueueKind = 'push' | 'pull';

export interface QueueContract<Input = unknown, Output = Input> {
  readonly name: string;
  readonly kind: QueueKind;
  readonly pool: string;
  readonly priority: Priority;
  readonly schema: StandardSchemaV1<Input, Output> | undefined;
  readonly attempts: number;
  /** How long a delivery may take: a drain that is woken for it has to live so long. */
  readonly timeoutMs: number;
  readonly ttlMs: number;
  readonly resultTtlMs: number;
  readonly dedup: Required<Omit<DedupPolicy, 'window'>> & { windowMs: number };
  readonly ordered: boolean;
  /** undefined: the whole queue. */
  readonly partition: Partition | undefined;
  readonly destination: DestinationPolicy | undefined;
}

// biome-ignore lint/suspicious/noExplicitAny: its schema is the judge of a body
export type AnyContract = QueueContract<any, any>;
