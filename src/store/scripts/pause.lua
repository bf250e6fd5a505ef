-- pause: no message of a queue is given out until it is resumed. Its lanes leave the index when an exchange meets them.
--
-- KEYS[1]  hash  config  queue → 'paused <pool>' or 'resuming <pool>'
-- ARGV[1]  root   what every key of the shard begins with
-- ARGV[2]  queue
-- ARGV[3]  pool
-- ARGV[4]  '1' to pause, '0' to resume: exchanges bring its lanes back, a bounded number each
-- Returns  '1' if that changed anything
-- Replay   '0'
-- Cost     2 to 4 commands

local state = redis.call('HGET', KEYS[1], ARGV[2])
local paused = state == 'paused ' .. ARGV[3]
if paused == (ARGV[4] == '1') or (ARGV[4] == '0' and not state) then return '0' end
redis.call('HSET', KEYS[1], ARGV[2], (paused and 'resuming ' or 'paused ') .. ARGV[3])
redis.call('ZADD', ARGV[1] .. 'ready:' .. ARGV[3], '-1', RESTRICTED)
return '1'
