/**
 * A Redis inside this process, for machines without one.
 *
 * It keeps no command statistics; its monitor feed tells every command, those
 * called by scripts too, and is counted instead.
 */
import { once } from 'node:events';
import { createRedisServer } from 'js-redis-server';
import { createRedisCommandExecutor, RedisServerState, Resp2Server } from 'js-redis-server/core';
import { isFree } from './commands.ts';
import { memoryCommand, watchBytes } from './embedded-memory.ts';
import { keepSnapshots } from './snapshots.ts';

export interface EmbeddedRedis {
  url: string;
  /** Billable commands executed so far: give it to startEmulator, and the next one. */
  commandsProcessed(): number;
  /** How much its data takes; no cluster's. */
  bytesStored?(): number;
  close(): Promise<void>;
}

export interface EmbeddedRedisOptions {
  port?: number;
  cluster?: { masters: number };
  /** Where its data is kept from one run to the next; no cluster's. */
  file?: string | undefined;
}

export async function startEmbeddedRedis({
  port = 0,
  cluster,
  file,
}: EmbeddedRedisOptions = {}): Promise<EmbeddedRedis> {
  return cluster ? startCluster(cluster.masters, port) : startSingle(port, file);
}

async function startSingle(port: number, file: string | undefined): Promise<EmbeddedRedis> {
  const state = new RedisServerState();
  const executor = createRedisCommandExecutor({ extraCommands: [memoryCommand] });
  const server = new Resp2Server({ server: state, executor });
  // Not by its own listen: that takes connections from everywhere, and it knows no password.
  server.server.listen(port, '127.0.0.1');
  await once(server.server, 'listening');
  const [database] = state.databases as [(typeof state.databases)[number]];
  const bytesStored = watchBytes(database);
  const snapshots = file === undefined ? undefined : keepSnapshots(database, file);
  const commandsProcessed = countCommands([state.monitorFeed]);
  const close = async () => {
    snapshots?.close();
    await server.close();
  };
  return { url: `redis://127.0.0.1:${server.getPort()}`, commandsProcessed, bytesStored, close };
}

async function startCluster(masters: number, basePort: number): Promise<EmbeddedRedis> {
  const cluster = await createRedisServer({ cluster: { masters }, basePort });
  const commandsProcessed = countCommands(cluster.nodes.map((node) => node.server.monitorFeed));
  const nodes = cluster.getAddresses().join(',');
  return { url: `redis+cluster://${nodes}`, commandsProcessed, close: () => cluster.close() };
}

interface Feed {
  subscribe(listener: (event: { command: Buffer }) => void): unknown;
}

function countCommands(feeds: Feed[]): () => number {
  let count = 0;
  for (const feed of feeds) {
    feed.subscribe(({ command }) => {
      if (!isFree(command.toString())) count += 1;
    });
  }
  return () => count;
}
