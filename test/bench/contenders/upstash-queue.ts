/** @upstash/queue: a Redis stream with a consumer group, over HTTP. */
import { Queue, type QueueConfig } from '@upstash/queue';
import { Redis } from '@upstash/redis';
import { type Body, type Contender, poll, SLOW } from '../contender.ts';

const LOOPS = 5; // its `concurrencyLimit` ends there

export const upstashQueue: Contender = {
  name: '@upstash/queue',
  settings:
    'concurrencyLimit 5 with five loops, autoVerify off and verifyMessage after the handler (on, it would acknowledge ' +
    'first); no bulk; a look every 100 ms while there is nothing, because hosted Redis refuses to block. Its counter of ' +
    'consumers at work is set back after an empty look: it forgets that, and refuses after five',
  most: SLOW,
  async prepare({ emulator }) {
    const redis = new Redis({ url: emulator.url, token: emulator.token, enableTelemetry: false });
    return {
      async open(run) {
        const config = { concurrencyLimit: LOOPS, autoVerify: false, queueName: run } as const;
        // It brings an older @upstash/redis along, whose type differs and whose calls do not.
        const queue = new Queue({ ...config, redis: redis as unknown as QueueConfig['redis'] });
        return {
          enqueue: (body) => queue.sendMessage(body),
          async consume(watch) {
            return poll(LOOPS, watch, async () => {
              const message = await queue.receiveMessage<Body>();
              if (!message) {
                queue.concurrencyCounter -= 1;
                return undefined;
              }
              await queue.verifyMessage(message.streamId);
              return message.body.n;
            });
          },
          close: async () => {},
        };
      },
      close: async () => {},
    };
  },
};
