-- ring-remove: items leave a ring.
--
-- KEYS[1]  list  ring
-- KEYS[2]  zset  rings  names of rings that have items, score 0
-- Beyond   nothing: all its keys are declared
-- ARGV[1]  text   name
-- ARGV[…]  text…  items  items, 1 to 25: each is looked for in the whole ring
-- Returns  {removed, length}
-- Replay   {0, length}
-- Cost     2 commands, 1 for each item, 1 where none is left

--- @include clock

local removed = 0
for i = 2, #ARGV do removed = removed + redis.call('LREM', KEYS[1], '0', ARGV[i]) end
local length = redis.call('LLEN', KEYS[1])
if length == 0 then redis.call('ZREM', KEYS[2], ARGV[1]) end
return { digits(removed), digits(length) }
