/** Calls with each command and option that Sluice's scripts use, as Lua writes their words. Keys: text, list, list 2, hash, sorted set, one that is not there. */
export const COMMANDS: readonly string[] = `
  'SET', KEYS[1], '1', 'NX', 'PX', '60000'
  'MSET', KEYS[1], 'text'
  'MGET', KEYS[1], KEYS[6]
  'MSETNX', KEYS[6], 'x'
  'SET', KEYS[1], 'text', 'XX', 'KEEPTTL'
  'GET', KEYS[1]
  'GETRANGE', KEYS[1], '0', '1'
  'EXISTS', KEYS[1], KEYS[6]
  'TYPE', KEYS[1]
  'PEXPIRE', KEYS[1], '60000'
  'PTTL', KEYS[1]
  'TIME'
  'SCAN', '0', 'MATCH', 'x', 'COUNT', '10'
  'RPUSH', KEYS[2], 'a', 'b', 'c', 'd', 'e'
  'LPUSH', KEYS[2], 'f', 'g'
  'LSET', KEYS[2], '0', 'h'
  'LRANGE', KEYS[2], '0', '-1'
  'LINDEX', KEYS[2], '0'
  'LLEN', KEYS[2]
  'LPOS', KEYS[2], 'a', 'RANK', '-1', 'MAXLEN', '100'
  'LREM', KEYS[2], '1', 'a'
  'LTRIM', KEYS[2], '0', '-2'
  'LMPOP', '1', KEYS[2], 'RIGHT', 'COUNT', '2'
  'LPOP', KEYS[2], '1'
  'RPOPLPUSH', KEYS[2], KEYS[3]
  'COPY', KEYS[3], KEYS[2]
  'RENAME', KEYS[3], KEYS[2]
  'RPOP', KEYS[2]
  'RPUSH', KEYS[2], 'b'
  'HSET', KEYS[4], 'a', '1', 'b', '2'
  'HSETNX', KEYS[4], 'a', '2'
  'HGET', KEYS[4], 'a'
  'HMGET', KEYS[4], 'a', 'z'
  'HEXISTS', KEYS[4], 'a'
  'HLEN', KEYS[4]
  'HKEYS', KEYS[4]
  'HGETALL', KEYS[4]
  'HSCAN', KEYS[4], '0', 'COUNT', '10'
  'HDEL', KEYS[4], 'a'
  'ZADD', KEYS[5], '1', 'a', '2', 'b'
  'ZCARD', KEYS[5]
  'ZSCORE', KEYS[5], 'a'
  'ZMSCORE', KEYS[5], 'a', 'z'
  'ZRANGE', KEYS[5], '-inf', '+inf', 'BYSCORE', 'LIMIT', '0', '1', 'WITHSCORES'
  'ZCOUNT', KEYS[5], '-inf', '+inf'
  'ZRANGE', KEYS[5], '0', '-1', 'REV'
  'ZRANGEBYLEX', KEYS[5], '-', '+', 'LIMIT', '0', '1'
  'ZSCAN', KEYS[5], '0', 'COUNT', '10'
  'ZREM', KEYS[5], 'a'
  'UNLINK', KEYS[1], KEYS[6]
`
  .trim()
  .split('\n');
