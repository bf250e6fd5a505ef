// The limit of connections, in the Worker's isolate: so many fetches wait for headers at once, the others queue for their turn.
import { currentInvocation } from './invocation.ts';

export interface Connections {
  open: number;
  queue: (() => void)[];
  /** How many have been in the queue. */
  queued: number;
}

export const newConnections = (): Connections => ({ open: 0, queue: [], queued: 0 });

export function queueConnections(most: number, next: typeof fetch): typeof fetch {
  return async (input, init) => {
    const { connections } = currentInvocation();
    await turn(connections, most, init?.signal ?? (input instanceof Request ? input.signal : undefined));
    try {
      return await next(input, init);
    } finally {
      connections.open -= 1;
      connections.queue.shift()?.();
    }
  };
}

/** First come, first served; who is aborted leaves the queue. */
async function turn(connections: Connections, most: number, signal: AbortSignal | null | undefined): Promise<void> {
  signal?.throwIfAborted();
  if (connections.open >= most) {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    connections.queue.push(resolve);
    connections.queued += 1;
    signal?.addEventListener('abort', () => {
      const place = connections.queue.indexOf(resolve);
      if (place >= 0) connections.queue.splice(place, 1);
      if (place >= 0) reject(signal.reason);
    });
    await promise;
  }
  connections.open += 1;
}
