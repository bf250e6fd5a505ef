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

-- How long a tombstone stays: longer than any wait but a pause.
local TOMBSTONE_MS = 30 * 86400000

local shard = { root = ARGV[1], timers = KEYS[1], failures = KEYS[2] }
local root, id = ARGV[1], ARGV[2]
local key, place = root .. 'm:' .. id, locate(shard, id)
if place.state == 'cancelled' then return 'leased' end
if place.state == 'gone' then return 'gone' end

local lane = place.header.lane
end_dedup(root, place.header, id, true) -- it never came to its end: the next with its key is welcome
if place.state == 'leased' or place.state == 'unseen' then
  redis.call('SET', key, TOMBSTONE, 'PX', digits(TOMBSTONE_MS))
  if place.header.follow then redis.call('UNLINK', root .. 'then:' .. id) end
  redis.call('HDEL', KEYS[2], id)
  return place.state
end
if place.state == 'delayed' then redis.call('ZREM', KEYS[1], delayed(place.header.pool, lane, place.entry)) end
if place.state == 'dead' then redis.call('ZREM', root .. 'dead:' .. queue_of(lane), place.entry) end
redis.call('HDEL', KEYS[2], id)
redis.call('UNLINK', key, place.header.follow and root .. 'then:' .. id or key) -- before the index, which may be of a wrong type: a sweep mends that
if place.state == 'ready' then
  redis.call('LREM', root .. 'lane:' .. lane, place.from, place.entry)
  if redis.call('EXISTS', root .. 'lane:' .. lane) == 0 then
    redis.call('ZREM', root .. 'ready:' .. place.header.pool, lane)
    redis.call('ZREM', root .. 'parked:' .. queue_of(lane), lane)
  end
end
return place.state
