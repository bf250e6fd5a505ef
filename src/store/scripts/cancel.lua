-- cancel: a message that is not wanted any more is never given out again.
--
-- KEYS[1]  zset  timers
-- KEYS[2]  hash  failures
-- ARGV[1]  root  what every key of the shard begins with
-- ARGV[2]  id
-- Returns  where it was: 'ready', 'delayed' or 'dead', and is gone now; 'leased' where a consumer holds it: it may still
--          finish, but will not get the message again; 'unseen' where the lane is too long to tell ready from leased;
--          'gone' where there is no such message
-- Replay   'gone', or for a leased one the same answer
-- Cost     6 to 14 commands; looks at no more than 2 × 10,000 entries of the lane

-- A message waits near an end of its lane, or the lane is so long that looking further costs more than a tombstone.
local LOOK = 10000
-- How long a tombstone stays: longer than any wait but a pause.
local TOMBSTONE_MS = 30 * 86400000

local root, id = ARGV[1], ARGV[2]
local key = root .. 'm:' .. id
local envelope = redis.call('GET', key)
if envelope == TOMBSTONE then return 'leased' end
local header = header_of(envelope)
if not header then return 'gone' end

local function forget()
  redis.call('UNLINK', key)
  redis.call('HDEL', KEYS[2], id)
end

-- Its entry is named after its attempt: the first, that of its last failure (dead), the next, or the first after a redrive.
local last = tonumber(string.match(redis.call('HGET', KEYS[2], id) or '', '(%d+) %d+ %l+ [^\n]*$'))
local entries = { '1.' .. id }
if last then entries = { digits(last) .. '.' .. id, digits(last + 1) .. '.' .. id, '1r.' .. id } end

local lane = root .. 'lane:' .. header.lane
for _, entry in ipairs(entries) do
  if redis.call('ZREM', KEYS[1], delayed(header.pool, header.lane, entry)) == 1 then
    forget()
    return 'delayed'
  end
  if redis.call('ZREM', root .. 'dead:' .. queue_of(header.lane), entry) == 1 then
    forget()
    return 'dead'
  end
  for _, from in ipairs({ '1', '-1' }) do
    if redis.call('LPOS', lane, entry, 'RANK', from, 'MAXLEN', digits(LOOK)) then
      redis.call('LREM', lane, from, entry)
      forget()
      if redis.call('EXISTS', lane) == 0 then
        redis.call('ZREM', root .. 'ready:' .. header.pool, header.lane)
        redis.call('ZREM', root .. 'parked:' .. queue_of(header.lane), header.lane)
      end
      return 'ready'
    end
  end
end

local length = redis.call('LLEN', lane)
redis.call('SET', key, TOMBSTONE, 'PX', digits(TOMBSTONE_MS))
redis.call('HDEL', KEYS[2], id)
return length <= 2 * LOOK and 'leased' or 'unseen'
