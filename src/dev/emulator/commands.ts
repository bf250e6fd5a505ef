/**
 * What the service makes of a command before Redis sees it: which ones it
 * refuses and in which words, which ones only read, which ones are free.
 *
 * Pure. The texts are those of the live service where somebody has seen them.
 */
import type { Argument } from '../../redis-http/reply.ts';

/** Part of a connection's life, or of another path: the service names them in one text of their own. */
const NOT_OVER_REST = words(`
  AUTH MULTI EXEC DISCARD WATCH UNWATCH HELLO RESET CLIENT MONITOR QUIT SELECT
  SUBSCRIBE UNSUBSCRIBE PSUBSCRIBE PUNSUBSCRIBE SSUBSCRIBE SUNSUBSCRIBE
`);

/** Blocking: they would hold the emulator's one connection, and a request is billed by its time anyway. */
const BLOCKING = words('BLPOP BRPOP BRPOPLPUSH BLMOVE BLMPOP BZPOPMIN BZPOPMAX BZMPOP WAIT WAITAOF');

/**
 * Redis has them and a customer of the service does not: some would end the Redis behind the emulator, the last line has no page in
 * the service's documentation. Inside scripts they are refused as well.
 */
export const NOT_AVAILABLE = words(`
  ASKING BGREWRITEAOF BGSAVE CLUSTER DEBUG FAILOVER LATENCY LASTSAVE MIGRATE MODULE MOVE PFDEBUG PFSELFTEST PSYNC READONLY
  READWRITE REPLCONF REPLICAOF RESTORE-ASKING ROLE SAVE SHUTDOWN SLAVEOF SLOWLOG SWAPDB SYNC
  LCS LOLWUT OBJECT SORT SORT_RO SPUBLISH XSETID
`);

/** Of these the service has some, and names what it has not by both words. Redis takes none but MEMORY inside scripts. */
const IN_PART: Record<string, (command: readonly Argument[]) => boolean> = {
  ACL: ([, word]) => isWord(word, 'WHOAMI'), // the others exist there, and are about users that an emulator has not
  CONFIG: ([, word, name]) => (isWord(word, 'GET') || isWord(word, 'SET')) && isWord(name, 'NOTIFY-KEYSPACE-EVENTS'),
  FUNCTION: ([, word]) => !isWord(word, 'DUMP') && !isWord(word, 'RESTORE'),
  MEMORY: ([, word]) => isWord(word, 'USAGE'),
};

/** All that a read-only token may send. No SCAN and no KEYS, by the service's documentation; no script either. */
const READING = words(`
  BITCOUNT BITFIELD_RO BITPOS DBSIZE DUMP ECHO EXISTS EXPIRETIME GEODIST GEOHASH GEOPOS GEORADIUSBYMEMBER_RO
  GEORADIUS_RO GEOSEARCH GET GETBIT GETRANGE HEXISTS HEXPIRETIME HGET HGETALL HKEYS HLEN HMGET HPEXPIRETIME HPTTL
  HRANDFIELD HSCAN HSTRLEN HTTL HVALS INFO LINDEX LLEN LPOS LRANGE MEMORY MGET PEXPIRETIME PFCOUNT PING
  PTTL RANDOMKEY SCARD SDIFF SINTER SINTERCARD SISMEMBER SMEMBERS SMISMEMBER SRANDMEMBER SSCAN STRLEN
  SUBSTR SUNION TIME TOUCH TTL TYPE XINFO XLEN XPENDING XRANGE XREAD XREVRANGE ZCARD ZCOUNT ZDIFF ZINTER ZINTERCARD
  ZLEXCOUNT ZMSCORE ZRANDMEMBER ZRANGE ZRANGEBYLEX ZRANGEBYSCORE ZRANK ZREVRANGE ZREVRANGEBYLEX ZREVRANGEBYSCORE
  ZREVRANK ZSCAN ZSCORE ZUNION
`);

/** They read as well, only not for everyone: they leave the sync token alone. */
const READING_WITH_FULL_TOKEN = words('SCAN KEYS EVAL_RO EVALSHA_RO FCALL_RO PUBLISH');

/** Commands that let what is stored grow, by where the keys stand that grow: first, second, or each odd argument. */
export const GROWING = {
  first: words(`
    SET SETEX PSETEX SETNX GETSET APPEND SETRANGE SETBIT BITFIELD INCR INCRBY INCRBYFLOAT DECR DECRBY RESTORE
    HSET HSETNX HMSET HINCRBY HINCRBYFLOAT LPUSH RPUSH LPUSHX RPUSHX LINSERT LSET SADD ZADD ZINCRBY XADD PFADD PFMERGE GEOADD
    SINTERSTORE SUNIONSTORE SDIFFSTORE ZINTERSTORE ZUNIONSTORE ZDIFFSTORE ZRANGESTORE GEOSEARCHSTORE
  `),
  second: words('RENAME RENAMENX COPY RPOPLPUSH LMOVE SMOVE BITOP'),
  odd: words('MSET MSETNX'),
};

export function isScript(name: string): boolean {
  return SCRIPTS.has(name);
}

const SCRIPTS = words('EVAL EVALSHA EVAL_RO EVALSHA_RO FCALL FCALL_RO');

/** @returns the keys that the command lets grow */
export function growingKeys(command: readonly Argument[]): Argument[] {
  const name = nameOf(command);
  if (GROWING.first.has(name)) return command.slice(1, 2);
  if (GROWING.second.has(name)) return command.slice(2, 3);
  return GROWING.odd.has(name) ? command.slice(1).filter((_, i) => i % 2 === 0) : [];
}

/**
 * Never billed. The first nine are the service's; the rest is what the
 * emulator itself says to Redis. Of these a customer can send MEMORY.
 */
const FREE = words(`
  AUTH HELLO SELECT COMMAND CONFIG INFO PING RESET QUIT
  CLIENT CLUSTER READONLY READWRITE ASKING MEMORY
`);

export function isFree(name: string): boolean {
  return FREE.has(name.toUpperCase());
}

/** Whether a command may change something: each one that does moves the sync token. */
export function mayWrite(name: string): boolean {
  return !READING.has(name) && !READING_WITH_FULL_TOKEN.has(name);
}

export function nameOf(command: readonly Argument[]): string {
  return String(command[0]).toUpperCase();
}

/** Why the service would not run this command, or undefined if it would. */
export function refusal(command: readonly Argument[], readOnly: boolean): string | undefined {
  const name = nameOf(command);
  if (NOT_OVER_REST.has(name) || BLOCKING.has(name) || blocksOnStream(name, command)) {
    return `ERR Command "${name}" is not allowed in REST or it has a special context path`;
  }
  if (NOT_AVAILABLE.has(name)) return notAvailable(name);
  const has = IN_PART[name];
  if (has && !has(command)) return notAvailable(command.slice(0, 2).map(String).join(' ').toUpperCase());
  if (readOnly && !READING.has(name)) {
    return `NOPERM this user has no permissions to run the '${name.toLowerCase()}' command or its subcommand`;
  }
  return undefined;
}

/** Redis' own words, where the service says it in others. */
export function serviceError(text: string): string {
  const unknown = /^ERR unknown command '([^']*)'/.exec(text);
  if (unknown) return notAvailable(unknown[1] ?? '');
  if (text === 'ERR value is not an integer or out of range') return 'ERR value is not an int or out of range';
  return text;
}

export function notAvailable(name: string): string {
  const page = 'https://upstash.com/docs/redis/overall/rediscompatibility';
  return `ERR Command is not available: '${name}'. See ${page} for details`;
}

/** XREAD and XREADGROUP block only by an option, which stands before STREAMS: behind it BLOCK may be a key. */
function blocksOnStream(name: string, command: readonly Argument[]): boolean {
  if (name !== 'XREAD' && name !== 'XREADGROUP') return false;
  for (const argument of command) {
    const word = String(argument).toUpperCase();
    if (word === 'STREAMS') return false;
    if (word === 'BLOCK') return true;
  }
  return false;
}

/** The text of the limit for one command's request, and for one command's result alike. */
export function tooLarge(limit: number, actual: number): string {
  const page = 'https://upstash.com/docs/redis/troubleshooting/max_request_size_exceeded';
  return `ERR max request size exceeded. Limit: ${limit} bytes, Actual: ${actual} bytes. See ${page} for details`;
}

function isWord(argument: Argument | undefined, word: string): boolean {
  return String(argument).toUpperCase() === word;
}

function words(text: string): ReadonlySet<string> {
  return new Set(text.trim().split(/\s+/));
}
