/**
 * A Redis Cluster that looks like the one database the service is.
 *
 * Keyed commands go where their slot lives. The few without a key that a
 * caller means for the whole database go to every master. SCAN is not among
 * them: its cursor belongs to one node.
 */
import { Cluster, Command, type Redis } from 'ioredis';
import type { Address } from './address.ts';
import { BackendDown, type Connection, NEVER_WAIT, type Opened, RETRY_MS } from './connection.ts';

export function openCluster(address: Extract<Address, { kind: 'cluster' }>): Opened {
  const { nodes, username, password, isTls } = address;
  const cluster = new Cluster(nodes, {
    // As digits, ioredis compares the slot numbers of CLUSTER SLOTS as text and loses the range from 5461 to 10922.
    // The price: a reply above 2^53 is rounded here.
    redisOptions: {
      ...NEVER_WAIT,
      stringNumbers: false,
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
      ...(isTls ? { tls: {} } : {}),
    },
    enableOfflineQueue: false,
    retryDelayOnFailover: 0, // the default sends a command again whose connection broke after it was sent
    clusterRetryStrategy: () => RETRY_MS,
    slotsRefreshInterval: 1_000, // else a replica that took over is learnt of only when somebody asks for what it has
    lazyConnect: true,
    // Names stay names, as certificates have them.
    ...(isTls ? { dnsLookup: (host: string, found: (error: null, host: string) => void) => found(null, host) } : {}),
  });
  cluster.on('error', () => {}); // each caller learns it from its own command
  greetNewNodes(cluster);
  const connection: Connection = {
    send: (commands) => commands.map((command) => send(cluster, command)),
    sendTogether: (commands, keyed) => sendTogether(cluster, commands, keyed),
    masters: () => cluster.nodes('master'),
    size: () => new Set(cluster.slots.flatMap(([master]) => (master === undefined ? [] : [master]))).size,
    close: () => cluster.disconnect(),
  };
  return { connection, connected: connectAll(cluster) };
}

/**
 * The cluster client connects to most nodes only when they are first used, and refuses meanwhile. Not before it is connected itself: of
 * a node that is being connected just then it takes its own question for refused, and begins anew.
 */
function greetNewNodes(cluster: Cluster): void {
  const greet = (node: Redis) => void node.ping().catch(() => {});
  cluster.on('ready', () => cluster.nodes('master').forEach(greet));
  cluster.on('+node', (node: Redis) => {
    if (cluster.status === 'ready') greet(node);
  });
}

async function connectAll(cluster: Cluster): Promise<void> {
  // Where a node says that the cluster is not ready, the client begins anew and leaves whoever asked it first without an answer.
  const beginsAnew = new Promise<never>((_, reject) => {
    cluster.once('reconnecting', () => reject(new Error('the cluster is not ready')));
  });
  try {
    await Promise.race([cluster.connect(), beginsAnew]);
    await Promise.all(cluster.nodes('master').map((node) => node.ping()));
  } catch (cause) {
    throw new BackendDown(cause);
  }
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

/** Of several databases, whoever asks for one wants to hear of the one that is worst off: it evicts, or has least room. */
const neediest: Combine = (answers) => answers.toSorted((a, b) => needIn(String(b)) - needIn(String(a)))[0];

function needIn(info: string): number {
  const [used = 0, most = 0] = ['used_memory', 'maxmemory'].map((name) =>
    Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1] ?? 0),
  );
  const evicts = /^maxmemory_policy:(?!noeviction)/m.test(info);
  return Number(evicts) + (most > 0 ? used / most : 0);
}

/** Commands for every master, and how their answers become one. */
const WHOLE_DATABASE: Record<string, Combine> = {
  FLUSHALL: first,
  FLUSHDB: first,
  'SCRIPT LOAD': first,
  'SCRIPT FLUSH': first,
  'SCRIPT EXISTS': first,
  INFO: neediest,
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
