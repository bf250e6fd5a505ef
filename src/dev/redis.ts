/** Which Redis a local run uses: the embedded one, one by URL, or a redis-server found on the PATH. */
import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedRedis } from './emulator/embedded.ts';

export interface LocalRedis {
  /** For people: what is used. */
  name: string;
  url: string;
  /** Only where Redis itself keeps no count. */
  commandsProcessed?: () => number;
  bytesStored?: () => number;
  close(): Promise<void>;
}

/**
 * @throws RangeError where it is no such URL
 * @param wanted undefined: embedded; 'auto': a redis-server on the PATH, else embedded; else a redis:// or
 * redis+cluster:// URL, whose data is left alone
 * @param folder where the data of one that is started here is kept from run to run; left out, it ends with it
 */
export async function startRedis(wanted: string | undefined, folder?: string): Promise<LocalRedis> {
  if (wanted && wanted !== 'auto') return { name: 'your', url: checkedUrl(wanted), close: async () => {} };
  const server = wanted === 'auto' ? await startRedisServer(folder) : undefined;
  const file = folder === undefined ? undefined : join(folder, 'embedded');
  return server ?? { name: 'embedded', ...(await startEmbeddedRedis({ file })) };
}

function checkedUrl(url: string): string {
  if (/^(redis|rediss|redis\+cluster):\/\/./.test(url)) return url;
  throw new RangeError(
    `--redis must be "auto", redis://host:port or redis+cluster://host:port,…; got ${JSON.stringify(url)}`,
  );
}

/** A server ends when its standard input does, and so with this process, however that ends: the next one needs its files. */
const WHILE_WE_LIVE = 'command -v redis-server >/dev/null || exit 1; redis-server "$@" & cat >/dev/null; kill $!; wait';

/** @returns undefined where there is no redis-server */
async function startRedisServer(kept: string | undefined): Promise<LocalRedis | undefined> {
  const folder = kept ?? (await mkdtemp(join(tmpdir(), 'sluice-redis-')));
  const port = await freePort();
  const appendOnly = kept === undefined ? 'no' : 'yes';
  const args = [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--save',
    '',
    '--appendonly',
    appendOnly,
    '--dir',
    folder,
  ];
  const child = spawn('sh', ['-c', WHILE_WE_LIVE, 'sh', ...args], { stdio: ['pipe', 'ignore', 'ignore'] });
  const ended = new Promise<void>((resolve) => {
    child.once('error', () => resolve());
    child.once('exit', () => resolve());
  });
  const kill = () => {
    child.stdin.destroy();
    if (kept === undefined) rmSync(folder, { recursive: true, force: true });
  };
  process.once('exit', kill); // Miniflare ends this process at a signal without waiting for anybody
  const close = async () => {
    kill();
    await ended;
    process.off('exit', kill);
  };
  if (await Promise.race([answers(port), ended.then(() => false)])) {
    return { name: 'redis-server', url: `redis://127.0.0.1:${port}`, close };
  }
  await close();
  return undefined;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function answers(port: number): Promise<boolean> {
  for (let tries = 0; tries < 100; tries++) {
    const connected = await new Promise<boolean>((resolve) => {
      const socket = createConnection(port, '127.0.0.1', () => resolve(true));
      socket.once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
    if (connected) return true;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return false;
}
