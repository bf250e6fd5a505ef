/**
 * Starts real Redis processes for tests, and ends the ones it started.
 *
 * Each gets a free port and a directory of its own, keeps nothing on disk, and
 * is ended by its process id.
 */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { AT_MOST } from './shell.ts';
import { steadyNow } from './steady-clock.ts';

export interface RedisServer {
  url: string;
  port: number;
  pid: number;
  stop(): Promise<void>;
  /** For a process that ends at once. */
  endNow(): void;
}

export interface RedisCluster {
  /** redis+cluster://host:port,host:port,.. as the emulator takes it. */
  url: string;
  nodes: RedisServer[];
  stop(): Promise<void>;
}

const HOST = '127.0.0.1';
const START_MS = 15_000; // a busy machine of two cores; usually it takes 20 ms

export function redisServerPresent(): boolean {
  try {
    execFileSync('redis-server', ['--version'], { ...AT_MOST, stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** `args` go after ours and win, such as `['--port', '7000']` to come back where another one was. */
export async function startRedisServer(args: string[] = [], program = 'redis-server'): Promise<RedisServer> {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-redis-'));
  const port = portIn(args) ?? (await freePort());
  const kept = ['--save', '', '--appendonly', 'no', '--dir', directory];
  // By default a replica is given what there is after five seconds, in case that others come.
  const ours = ['--port', String(port), '--bind', HOST, ...kept, '--repl-diskless-sync-delay', '0'];
  return launch(port, directory, [...ours, ...args], program);
}

/** One sentinel, which takes nobody for away by itself: where the machine stands still all seem so. It fails over when it is told to. */
export async function startSentinel(name: string, primary: Pick<RedisServer, 'port'>): Promise<RedisServer> {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-sentinel-'));
  const port = await freePort();
  const file = join(directory, 'sentinel.conf');
  const watched = [`monitor ${name} ${HOST} ${primary.port} 1`, `down-after-milliseconds ${name} 600000`];
  const lines = [`port ${port}`, `bind ${HOST}`, `dir ${directory}`, ...watched.map((line) => `sentinel ${line}`)];
  await writeFile(file, `${lines.join('\n')}\n`);
  return launch(port, directory, [file, '--sentinel']);
}

async function launch(port: number, directory: string, args: string[], program = 'redis-server'): Promise<RedisServer> {
  const child = spawn(program, args, { stdio: 'ignore' });
  const endNow = () => {
    child.kill('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  };
  process.once('exit', endNow); // a test run that is broken off leaves no server behind
  const stop = async () => {
    process.off('exit', endNow);
    await end(child);
    await rm(directory, { recursive: true, force: true });
  };
  try {
    await until(`${program} on port ${port}`, async () => (await ask(port, 'PING')).startsWith('+PONG'), child);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url: `redis://${HOST}:${port}`, port, pid: child.pid as number, stop, endNow };
}

/**
 * What SLUICE_REDIS_FRONT names stands between the tests and each Redis that they start: a program that takes the address to
 * listen at and that of the Redis, such as one whose scripts run on another Lua (test/gopher).
 */
export const FRONT = process.env.SLUICE_REDIS_FRONT;

export async function startFrontedServer(front: string): Promise<Pick<RedisServer, 'url' | 'stop'>> {
  const server = await startRedisServer();
  const port = await freePort();
  const child = spawn(front, [`${HOST}:${port}`, `${HOST}:${server.port}`], { stdio: 'ignore' });
  const endWithUs = () => void child.kill('SIGKILL');
  process.once('exit', endWithUs);
  const stop = async () => {
    process.off('exit', endWithUs);
    await end(child);
    await server.stop();
  };
  try {
    await until(`${front} on port ${port}`, async () => (await ask(port, 'PING')).startsWith('+PONG'), child);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url: `redis://${HOST}:${port}`, stop };
}

/** @param replicas of each master @param program another server than Redis' that speaks its protocol */
export async function startRedisCluster(masters = 3, replicas = 0, program = 'redis-server'): Promise<RedisCluster> {
  const nodes: RedisServer[] = [];
  const stop = async () => void (await Promise.all(nodes.map((node) => node.stop())));
  try {
    for (let i = 0; i < masters * (1 + replicas); i += 1)
      nodes.push(await startRedisServer(await clusterArgs(), program));
    const addresses = nodes.map(({ port }) => `${HOST}:${port}`);
    // It takes three seconds, for which a call that waits in this thread would have every test beside it stand still.
    await promisify(execFile)(
      'redis-cli',
      ['--cluster', 'create', ...addresses, '--cluster-replicas', `${replicas}`, '--cluster-yes'],
      { ...AT_MOST, timeout: 50_000 },
    );
    for (const { port } of nodes) {
      await until(`the cluster node on port ${port}`, async () =>
        (await ask(port, 'CLUSTER INFO')).includes('cluster_state:ok'),
      );
      // A short one has a new cluster ready sooner; from then on nodes that stood still for seconds would take each other for gone.
      await ask(port, 'CONFIG SET cluster-node-timeout 60000');
    }
    return { url: `redis+cluster://${addresses.join(',')}`, nodes, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The bus gets a free port as well: the default, port + 10000, may lie beyond 65535. */
async function clusterArgs(): Promise<string[]> {
  const bus = String(await freePort());
  return ['--cluster-enabled', 'yes', '--cluster-port', bus, '--cluster-node-timeout', '2000'];
}

/** Asks until it holds or the deadline passes. */
export async function until(what: string, holds: () => Promise<boolean>, child?: ChildProcess): Promise<void> {
  const deadline = steadyNow() + START_MS;
  while (!(await holds().catch(() => false))) {
    if (child && child.exitCode !== null) throw new Error(`${what} exited with ${child.exitCode}`);
    if (steadyNow() > deadline) throw new Error(`${what}: not so after ${START_MS} ms`);
    await pause(10); // the step of the poll, not the wait
  }
}

/** One inline command over a bare socket: no client library to reconnect behind our back. */
function ask(port: number, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, HOST, () => socket.write(`${command}\r\n`));
    socket.once('data', (data) => {
      socket.destroy();
      resolve(data.toString());
    });
    socket.once('error', reject);
  });
}

/** Of these the system gives none to whoever does not ask for it: that is how one found free would be taken before it is used, or used again. */
const PORTS = { first: 12_000, last: 31_999 };
/** Elsewhere in each process, which then goes through them one by one. */
let nextPort = PORTS.first + Math.floor(Math.random() * (PORTS.last - PORTS.first));

export async function freePort(): Promise<number> {
  for (;;) {
    const port = nextPort;
    nextPort = port < PORTS.last ? port + 1 : PORTS.first;
    if (await isFree(port)) return port;
  }
}

export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, HOST, () => server.close(() => resolve(true)));
  });
}

function portIn(args: string[]): number | undefined {
  const at = args.indexOf('--port');
  return at < 0 ? undefined : Number(args[at + 1]);
}

function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return Promise.resolve();
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.kill('SIGKILL'); // nothing to save
  });
}
