/**
 * A redis-server that tests may stop, kill, start again on the same port and data, copy and put back, and a switch in
 * front of two of them for a failover.
 *
 * It writes its append-only file at each command (appendfsync always), so that a copy of the directory is a snapshot of
 * everything acknowledged by then, and a restart begins where the last acknowledged command ended.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { startEmulator } from '../../src/dev/emulator/server.ts';
import type { Redises } from './bench.ts';
import { freePort, until } from './redis-server.ts';

const HOST = '127.0.0.1';

export interface ControlledRedis {
  port: number;
  url: string;
  /** Straight to this server; it connects again by itself after a restart. */
  raw: Redis;
  start(): Promise<void>;
  /** SIGKILL ends it in the middle of whatever it does. */
  stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  /** Copies its data as they are now; taken under load it ends with the last command written. */
  snapshot(): Promise<Snapshot>;
  /** Kills it and starts it with other data. */
  restore(snapshot: Snapshot): Promise<void>;
  close(): Promise<void>;
}

export interface Snapshot {
  directory: string;
}

export async function startControlledRedis(args: string[] = []): Promise<ControlledRedis> {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-redis-'));
  const copies: string[] = [];
  const port = await freePort();
  const appending = ['--appendonly', 'yes', '--appendfsync', 'always', '--save', ''];
  const all = ['--port', String(port), '--bind', HOST, '--dir', directory, ...appending, ...args];
  const endWithUs = () => void child?.kill('SIGKILL');
  let child: ChildProcess | undefined;
  process.once('exit', endWithUs);

  const start = async () => {
    child = spawn('redis-server', all, { stdio: 'ignore' });
    await until(`redis-server on port ${port}`, () => answersOn(port), child);
  };
  const stop = async (signal: NodeJS.Signals) => {
    const ending = child;
    if (!ending || ending.exitCode !== null || ending.signalCode !== null) return;
    const ended = new Promise((resolve) => ending.once('exit', resolve));
    ending.kill(signal);
    await ended;
  };
  await start();
  const raw = new Redis(port, HOST, { retryStrategy: () => 20, maxRetriesPerRequest: null });
  raw.on('error', () => {}); // it is away on purpose
  return {
    port,
    url: `redis://${HOST}:${port}`,
    raw,
    start,
    stop,
    async snapshot() {
      const copy = await mkdtemp(join(tmpdir(), 'sluice-copy-'));
      copies.push(copy);
      await cp(join(directory, 'appendonlydir'), join(copy, 'appendonlydir'), { recursive: true });
      return { directory: copy };
    },
    async restore(snapshot) {
      await stop('SIGKILL');
      await rm(join(directory, 'appendonlydir'), { recursive: true });
      await cp(join(snapshot.directory, 'appendonlydir'), join(directory, 'appendonlydir'), { recursive: true });
      await start();
    },
    async close() {
      process.off('exit', endWithUs);
      raw.disconnect();
      await stop('SIGKILL');
      await Promise.all([directory, ...copies].map((folder) => rm(folder, { recursive: true, force: true })));
    },
  };
}

/** The emulator in front of it, as Bench takes it. */
export async function redisesOn(redis: ControlledRedis, url: string = redis.url): Promise<Redises> {
  const options = { url, token: 'local', faults: () => undefined };
  const emulator = await startEmulator(options);
  return { emulator, raw: redis.raw, options, stop: () => emulator.close() };
}

export interface Switch {
  url: string;
  /** Where new connections go; those there are end. */
  pointTo(port: number): void;
  close(): Promise<void>;
}

/** A TCP relay with an address that stays while the server behind it changes, as a service's endpoint does. */
export async function startSwitch(port: number): Promise<Switch> {
  let target = port;
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(target, HOST);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        sockets.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  });
  server.listen(0, HOST);
  await new Promise((resolve) => server.once('listening', resolve));
  const endAll = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `redis://${HOST}:${(server.address() as AddressInfo).port}`,
    pointTo(next) {
      target = next;
      endAll();
    },
    async close() {
      endAll();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function answersOn(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, HOST, () => socket.write('PING\r\n'));
    socket.once('data', (data) => {
      socket.destroy();
      resolve(data.toString().startsWith('+PONG')); // -LOADING while it reads its file
    });
    socket.once('error', () => resolve(false));
  });
}
