/**
 * Which commands a caller may send. Those that read and write data are listed; what is not is refused, until the operator allows it.
 *
 * Pure. What scripts call is Redis' to judge: the user with which the front signs in there may do so much, and no more.
 */
import type { Argument } from './reply.ts';

const DATA = words(`
  APPEND BITCOUNT BITFIELD BITFIELD_RO BITOP BITPOS COPY DBSIZE DECR DECRBY DEL DUMP ECHO EVAL EVALSHA EVALSHA_RO EVAL_RO EXISTS
  EXPIRE EXPIREAT EXPIRETIME FCALL FCALL_RO GEOADD GEODIST GEOHASH GEOPOS GEORADIUS GEORADIUSBYMEMBER GEORADIUSBYMEMBER_RO
  GEORADIUS_RO GEOSEARCH GEOSEARCHSTORE GET GETBIT GETDEL GETEX GETRANGE GETSET HDEL HEXISTS HEXPIRE HEXPIREAT HEXPIRETIME HGET
  HGETALL HGETDEL HGETEX HINCRBY HINCRBYFLOAT HKEYS HLEN HMGET HMSET HPERSIST HPEXPIRE HPEXPIREAT HPEXPIRETIME HPTTL HRANDFIELD
  HSCAN HSET HSETEX HSETNX HSTRLEN HTTL HVALS INCR INCRBY INCRBYFLOAT INFO LINDEX LINSERT LLEN LMOVE LMPOP LPOP LPOS LPUSH LPUSHX
  LRANGE LREM LSET LTRIM MGET MSET MSETNX PERSIST PEXPIRE PEXPIREAT PEXPIRETIME PFADD PFCOUNT PFMERGE PING PSETEX PTTL PUBLISH
  RENAME RENAMENX RPOP RPOPLPUSH RPUSH RPUSHX SADD SCAN SCARD SCRIPT|EXISTS SCRIPT|LOAD SDIFF SDIFFSTORE SET SETBIT SETEX SETNX
  SETRANGE SINTER SINTERCARD SINTERSTORE SISMEMBER SMEMBERS SMISMEMBER SMOVE SPOP SRANDMEMBER SREM SSCAN STRLEN SUBSTR SUNION
  SUNIONSTORE TIME TOUCH TTL TYPE UNLINK XACK XADD XAUTOCLAIM XCLAIM XDEL XGROUP XINFO XLEN XPENDING XRANGE XREAD XREADGROUP
  XREVRANGE XTRIM ZADD ZCARD ZCOUNT ZDIFF ZDIFFSTORE ZINCRBY ZINTER ZINTERCARD ZINTERSTORE ZLEXCOUNT ZMPOP ZMSCORE ZPOPMAX ZPOPMIN
  ZRANDMEMBER ZRANGE ZRANGEBYLEX ZRANGEBYSCORE ZRANGESTORE ZRANK ZREM ZREMRANGEBYLEX ZREMRANGEBYRANK ZREMRANGEBYSCORE ZREVRANGE
  ZREVRANGEBYLEX ZREVRANGEBYSCORE ZREVRANK ZSCAN ZSCORE ZUNION ZUNIONSTORE
`);

/** All callers share one connection: these would change it for all, or hold it for one. Nobody can allow them. */
const OF_A_CONNECTION = words(`
  ASKING AUTH BLMOVE BLMPOP BLPOP BRPOP BRPOPLPUSH BZMPOP BZPOPMAX BZPOPMIN CLIENT DISCARD EXEC HELLO MONITOR MULTI PSUBSCRIBE PSYNC
  PUNSUBSCRIBE QUIT READONLY READWRITE REPLCONF RESET SELECT SSUBSCRIBE SUBSCRIBE SUNSUBSCRIBE SYNC UNSUBSCRIBE UNWATCH WAIT WAITAOF
  WATCH
`);

/** Commands with others inside, of which each is judged by itself. */
const WITH_SUBCOMMANDS = words('ACL CLUSTER CONFIG DEBUG FUNCTION LATENCY MEMORY MODULE OBJECT PUBSUB SCRIPT SLOWLOG');

/** @returns why a command is not passed on; undefined where it is */
export type Judge = (command: readonly Argument[]) => string | undefined;

/**
 * @param more commands that are allowed besides, such as `flushdb` or `script|flush`
 * @param isCluster whether a command without a key reaches one node of several
 * @throws RangeError where one of them cannot be allowed
 */
export function judgeBy(more: readonly string[], isCluster: boolean): Judge {
  const besides = new Set(more.map((name) => name.toUpperCase()));
  for (const name of besides) {
    if (OF_A_CONNECTION.has(name)) throw new RangeError(`${name} cannot be allowed: all callers share one connection`);
    if (!/^[A-Z_.-]+(\|[A-Z_-]+)?$/.test(name)) throw new RangeError(`${JSON.stringify(name)} is no command`);
  }
  return (command) => {
    const name = String(command[0]).toUpperCase();
    const full = WITH_SUBCOMMANDS.has(name) ? `${name}|${String(command[1] ?? '').toUpperCase()}` : name;
    if (OF_A_CONNECTION.has(name) || isBlocking(name, command))
      return `ERR ${full} is not available over HTTP: all callers share one connection`;
    if (name === 'SCAN' && isCluster) return 'ERR SCAN is not available on a cluster: its cursor belongs to one node';
    if (DATA.has(full) || besides.has(full) || besides.has(name)) return undefined;
    return `ERR ${full} is not allowed here; --allow does so`;
  };
}

/** XREAD and XREADGROUP block by an option, which stands before STREAMS: behind it BLOCK may be a key. */
function isBlocking(name: string, command: readonly Argument[]): boolean {
  if (name !== 'XREAD' && name !== 'XREADGROUP') return false;
  const options = command.map((argument) => String(argument).toUpperCase());
  const end = options.indexOf('STREAMS');
  return options.slice(1, end < 0 ? undefined : end).includes('BLOCK');
}

function words(text: string): ReadonlySet<string> {
  return new Set(text.trim().split(/\s+/));
}
