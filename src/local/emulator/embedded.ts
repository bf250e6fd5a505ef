/**
 * A Redis inside this process, for machines without one.
 *
 * It keeps no command statistics; its monitor feed tells every command, those
 * called by scripts too, and is counted instead.
 */
import { createRedisServer } from 'js-redis-server';
import { isFree } from './commands.ts';
import { keepSnapshots } from './snapshots.ts';

export interface EmbeddedRedis {
  url: string;
  /** Billable commands executed so far: give it to startEmulator. */
  commandsProcessed(): number;
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
  const server = await createRedisServer({ port });
  const [database] = server.state.databases;
  const snapshots = file !== undefined && database ? keepSnapshots(database, file) : undefined;
  const commandsProcessed = countCommands([server.state.monitorFeed]);
  const close = async () => {
    snapshots?.close();
    await server.close();
  };
  return { url: `redis://${server.host}:${server.port}`, commandsProcessed, close };
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
