/** What handlers inside workerd did, told outside, where the clock is: at once to a server, or when it is asked for. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pause, type Watch } from './contender.ts';

export interface Outbox {
  url: string;
  /** Whoever is told of each message. */
  listener: (n: number) => void;
  close(): void;
}

export async function openOutbox(): Promise<Outbox> {
  const outbox = { url: '', listener: (_n: number) => {}, close: () => {} };
  const server = createServer((request, response) => {
    outbox.listener(Number(request.url?.slice(1)));
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  outbox.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  outbox.close = () => {
    server.close();
    server.closeAllConnections();
  };
  return outbox;
}

/** Of each answer: Miniflare would compress what the benchmark asks for. */
export const PLAIN = { 'accept-encoding': 'identity' };

/** The numbers of the messages that handlers have seen, in order, from a place on. */
type Read = (from: number) => Promise<number[]>;

/** As they are seen. */
export function readAlong(watch: Watch, read: Read) {
  let from = 0;
  return repeat(async () => {
    const seen = await read(from);
    from += seen.length;
    for (const n of seen) watch.handled(n);
  });
}

/** When all is over, so that reading takes nothing from what is timed. */
export function readAfter(watch: Watch, read: Read, end = async () => {}) {
  return {
    stop: async () => {
      await end();
      for (const n of await read(0)) watch.handled(n);
    },
  };
}

const LOOK_MS = 5;

export function repeat(look: () => Promise<void>) {
  let stopped = false;
  const running = (async () => {
    while (!stopped) {
      await look();
      await pause(LOOK_MS);
    }
  })();
  return {
    stop: async () => {
      stopped = true;
      await running;
    },
  };
}
