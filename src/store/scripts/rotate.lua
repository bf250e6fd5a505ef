-- rotate: the next items of a ring, which go to its end: RPOPLPUSH on one key, so many times at once.
--
-- KEYS[1]  list  ring   the next item stands right
-- ARGV[1]  count        1 to 1,000
-- Returns  {item, …} in their turn, none twice: a shorter ring gives all it has, none gives {}
-- Replay   gives the items behind: those of a lost answer come again with their next turn
-- Cost     2 commands for one item; 3 for up to 200, and 1 for each 200 more

if ARGV[1] == '1' then
  local item = redis.call('RPOPLPUSH', KEYS[1], KEYS[1])
  return item and { item } or {}
end
-- RPOPLPUSH takes no count: popped from the right and pushed left in the same order, the list is as after so many of them.
local taken = redis.call('LMPOP', '1', KEYS[1], 'RIGHT', 'COUNT', ARGV[1])
if not taken then return {} end
in_chunks('LPUSH', KEYS[1], taken[2])
return taken[2]
