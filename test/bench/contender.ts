/** What a benchmark asks of each queue: the same messages in, each handed to a handler that does nothing, each acknowledged. */
import type { Redis } from 'ioredis';

/** About 260 bytes as JSON. */
export interface Body {
  /** Tells messages apart, so that losses and doubles show. */
  n: number;
  /** The handler tells the outbox at once: only where latency is measured. */
  report?: true;
  title: string;
  text: string;
}

const TEXT = Buffer.alloc(215, 'x').toString(); // made once, and flat: the clock is not to count what making bodies takes

export const bodyOf = (n: number): Body => ({ n, title: `message ${n}`, text: TEXT });

/** Where all of them run. */
export interface Place {
  redisUrl: string;
  raw: Redis;
  /** The Upstash REST API in front of the same Redis, in a process of its own. */
  emulator: { url: string; token: string; requests(): Promise<number> };
}

/** Told by a contender what became of its messages. */
export interface Watch {
  handled(n: number): void;
  acked(count: number): void;
}

/**
 * A backlog that waits, or messages that arrive one after another: some wake their consumer, some must be polled. Or lone
 * ones, whose handlers report themselves: whoever looked for them would be what else goes on.
 */
export type Supply = 'backlog' | 'arrivals' | 'lone';

export interface Session {
  enqueue(body: Body): Promise<unknown>;
  /** Left out where a queue has none. */
  enqueueMany?(bodies: Body[]): Promise<unknown>;
  consume(watch: Watch, supply: Supply): Promise<{ stop(): Promise<void> }>;
  close(): Promise<void>;
}

export interface Prepared {
  /** On an empty Redis. @param run a name no other run has */
  open(run: string): Promise<Session>;
  close(): Promise<void>;
}

export interface Contender {
  name: string;
  /** The settings it runs with, and where they come from. */
  settings: string;
  /** It enqueues as another one here does: only its consumer is measured. */
  consumerOnly?: true;
  /** Runs of it have at most so many messages: each takes several requests. */
  most: number;
  /** The most one bulk call takes. */
  bulk?: number;
  prepare(place: Place): Promise<Prepared>;
}

export const FAST = 100_000;
export const SLOW = 2_000;

/** Where a queue has no way to wake its consumer: between two looks. */
const POLL_MS = 100;

export const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Consumers that ask: `take` handles and acknowledges one message, and says whether there was any. */
export function poll(loops: number, watch: Watch, take: () => Promise<number | undefined>) {
  let stopped = false;
  const loop = async () => {
    while (!stopped) {
      const n = await take();
      if (n === undefined) await pause(POLL_MS);
      else {
        watch.handled(n);
        watch.acked(1);
      }
    }
  };
  const running = Promise.all(Array.from({ length: loops }, loop));
  return {
    stop: async () => {
      stopped = true;
      await running;
    },
  };
}
