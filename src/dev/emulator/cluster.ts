/**
 * A Redis Cluster that looks like the one database the service is.
 *
 * Keyed commands go where their slot lives. The few without a key that a
 * caller means for the whole database go to every master. SCAN is not among
 * them: its cursor belongs to one node.
 */
import { Cluster, Command, type Redis } from 'ioredis';
import { BackendDown, type Connection, NEVER_WAIT } from './connection.ts';

export async function openCluster(url: string): Promise<Connection> {
  const cluster = new Cluster(nodesIn(url), {
    // As digits, ioredis compares the slot numbers of CLUSTER SLOTS as text and loses the range from 5461 to 10922.
    // The price: a reply above 2^53 is rounded here.
    redisOptions: { ...NEVER_WAIT, stringNumbers: false, ...credentialsIn(url) },
    enableOfflineQueue: false,
    retryDelayOnFailover: 0, // the default sends a command again whose connection broke after it was sent
    clusterRetryStrategy: () => 50,
    lazyConnect: true,
  });
  cluster.on('error', () => {}); // each caller learns it from its own command
  await connectAll(cluster).catch((cause: unknown) => {
    cluster.disconnect();
    throw new BackendDown(cause);
  });
  return {
    send: (commands) => commands.map((command) => send(cluster, command)),
    sendTogether: (commands, keyed) => sendTogether(cluster, commands, keyed),
    masters: () => cluster.nodes('master'),
    close: () => cluster.disconnect(),
  };
}

/** To each master too: the cluster client connects to most of them only when first used, and refuses meanwhile. */
async function connectAll(cluster: Cluster): Promise<void> {
  await cluster.connect();
  await Promise.all(cluster.nodes('master').map((node) => node.ping()));
}

function send(cluster: Cluster, command: Command): Promise<unknown> {
  const combine = WHOLE_DATABASE[wordsOf(command)];
  if (!combine) return cluster.sendCommand(command) as Promise<unknown>;
  const copy = () => new Command(command.name, command.args as (string | Buffer)[]); // one object is one reply
  const answers = cluster.nodes('master').map((node) => node.sendCommand(copy()) as Promise<unknown>);
  return Promise.all(answers).then(combine);
}

type Combine = (answers: unknown[]) => unknown;

const first: Combine = ([answer]) => answer;

/** Commands for every master, and how their answers become one. */
const WHOLE_DATABASE: Record<string, Combine> = {
  FLUSHALL: first,
  FLUSHDB: first,
  'SCRIPT LOAD': first,
  'SCRIPT FLUSH': first,
  'SCRIPT EXISTS': first,
  DBSIZE: (answers) => answers.reduce<number>((sum, answer) => sum + Number(answer), 0),
  KEYS: (answers) => answers.flat(),
};

function wordsOf({ name, args }: Command): string {
  return name === 'SCRIPT' ? `SCRIPT ${String(args[0]).toUpperCase()}` : name;
}

/** A transaction lives on one node, so its keys must share a slot: the service has no such rule, a cluster does. */
function sendTogether(cluster: Cluster, commands: Command[], keyed: Command[]): Promise<unknown>[] | { error: string } {
  const slots = new Set(keyed.map((command) => command.getSlot() as number | null).filter((slot) => slot !== null));
  if (slots.size > 1) return { error: "CROSSSLOT Keys in request don't hash to the same slot" };
  const [slot] = slots;
  const node = masterOf(cluster, slot);
  // Straight to the node: the cluster client would send a moved command elsewhere, out of its transaction.
  return commands.map((command) => node.sendCommand(command) as Promise<unknown>);
}

function masterOf(cluster: Cluster, slot: number | undefined): Redis {
  const masters = cluster.nodes('master');
  const address = slot === undefined ? undefined : cluster.slots[slot]?.[0];
  const node = address ? masters.find(({ options }) => `${options.host}:${options.port}` === address) : masters[0];
  if (!node) throw new BackendDown(new Error('no master for the slot'));
  return node;
}

function nodesIn(url: string): { host: string; port: number }[] {
  const addresses = url
    .replace(/^redis\+cluster:\/\//, '')
    .replace(/^.*@/, '')
    .replace(/\/.*$/, '');
  return addresses.split(',').map((address) => {
    const { hostname, port } = new URL(`redis://${address}`);
    return { host: hostname, port: Number(port || 6379) };
  });
}

function credentialsIn(url: string): { username?: string; password?: string } {
  const [, user, password] = /^redis\+cluster:\/\/([^:@]*):([^@]*)@/.exec(url) ?? [];
  if (!password) return {};
  return { ...(user ? { username: decodeURIComponent(user) } : {}), password: decodeURIComponent(password) };
}
