/**
 * A TCP proxy that is as far away as it is told: bytes arrive half of a round trip later, in each direction, in their order. Bandwidth is
 * that of the loopback, and a connection is open at once.
 */
import { type AddressInfo, createServer, connect as dial, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { type Line, openLine } from './line.ts';
import { nowMs } from './now.ts';

export interface DelayProxy {
  /** Listens for connections to this port of the machine. @returns its own port */
  to(port: number): Promise<number>;
  /** Of what is sent from now on. */
  setRoundTrip(ms: number): void;
  close(): Promise<void>;
}

const HOST = '127.0.0.1';

export function startDelayProxy(): DelayProxy {
  const clock = new Worker(join(import.meta.dirname, 'clock.ts'));
  let then = () => {};
  clock.on('message', () => then());
  const line = openLine(nowMs, (at, arrive) => {
    then = arrive;
    clock.postMessage(at);
  });
  const servers: Server[] = [];
  const open = new Set<Socket>();
  return {
    async to(port) {
      const server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
        const far = dial({ port, host: HOST, allowHalfOpen: true, noDelay: true });
        pass(near, far, line);
        pass(far, near, line);
        for (const socket of [near, far]) {
          open.add(socket);
          socket.once('close', () => open.delete(socket));
        }
      });
      servers.push(server);
      await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
      return (server.address() as AddressInfo).port;
    },
    setRoundTrip(ms) {
      line.oneWayMs = ms / 2;
    },
    async close() {
      for (const server of servers) server.close();
      for (const socket of open) socket.destroy();
      await clock.terminate();
    },
  };
}

/** What one side sends, and its end, to the other. */
function pass(from: Socket, to: Socket, line: Line): void {
  from.on('data', (bytes) => line.send(() => void (to.destroyed || to.write(bytes))));
  from.on('end', () => line.send(() => to.end()));
  from.on('error', () => to.destroy()); // which of them it was says nothing here: both are over
  from.on('close', () => line.send(() => to.destroySoon()));
}
