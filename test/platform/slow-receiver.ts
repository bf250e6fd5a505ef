// A receiver that takes its time, and remembers who asked.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface SlowReceiver {
  url: string;
  /** The ids of what arrived, in its order: a repeated one is there twice. */
  arrived: string[];
  /** The most that waited for their answer at once. */
  most(): number;
  close(): void;
}

export async function startSlowReceiver(answerMs: number): Promise<SlowReceiver> {
  const arrived: string[] = [];
  let waiting = 0;
  let most = 0;
  const server = createServer((request, response) => {
    arrived.push(String(request.headers['webhook-id']));
    waiting += 1;
    most = Math.max(most, waiting);
    response.on('close', () => {
      waiting -= 1;
    });
    setTimeout(() => response.end(), answerMs);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    arrived,
    most: () => most,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
