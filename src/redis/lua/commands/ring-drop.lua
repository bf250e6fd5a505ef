-- ring-drop: a whole ring goes.
--
-- KEYS[1]  list  ring
-- KEYS[2]  zset  rings  names of rings that have items, score 0
-- Beyond   nothing: all its keys are declared
-- ARGV[1]  text  name
-- Returns  how many items it had
-- Replay   '0'
-- Cost     4 commands

--- @include clock

local length = redis.call('LLEN', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('UNLINK', KEYS[1])
return digits(length)
