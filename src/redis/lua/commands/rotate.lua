-- rotate: the next items of a ring, which go to its end: RPOPLPUSH on one key, so many times at once.
--
-- KEYS[1]  list  ring   the next item stands right
-- Beyond   nothing: all its keys are declared
-- ARGV[1]  number  count  1 to 1,000
-- Returns  {item, …} in their turn, none twice: a shorter ring gives all it has, none gives {}
-- Replay   gives the items behind: those of a lost answer come again with their next turn
-- Cost     2 commands for one item; 4 for up to 200, and 1 for each 200 more; 2 where a ring has no more than are asked for

--- @include clock entry

if ARGV[1] == '1' then
  local item = redis.call('RPOPLPUSH', KEYS[1], KEYS[1])
  return item and { item } or {}
end
-- RPOPLPUSH takes no count: pushed left in the order in which they stand right, and cut off there, the list is as after so many of
-- them. A ring that gives all it has is as it was.
local count = tonumber(ARGV[1])
local found, items = redis.call('LRANGE', KEYS[1], digits(-count - 1), '-1'), {}
for i = #found, math.max(1, #found - count + 1), -1 do items[#items + 1] = found[i] end
if #found <= count then return items end
local refused = attempt(push_left, KEYS[1], items)
if refused then return redis.error_reply(refused) end
redis.call('LTRIM', KEYS[1], '0', digits(-count - 1))
return items
