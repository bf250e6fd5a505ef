-- ring-list: a page of the rings that there are, by name.
--
-- KEYS[1]  zset  rings  names of rings that have items, score 0
-- Beyond   ring:<name>
-- ARGV[1]  text    root   what every key of the shard begins with
-- ARGV[2]  text    from   '-' begins, or '(<the last name of the page before>'
-- ARGV[3]  number  limit  of names on the page
-- Returns  {the last name of a full page, or '', {name, length, …}}
-- Replay   reads; a name whose ring is gone, by hand or by eviction, leaves the list
-- Cost     2 commands, 1 for each ring

--- @include clock entry

local names = redis.call('ZRANGEBYLEX', KEYS[1], ARGV[2], '+', 'LIMIT', '0', ARGV[3])
local rings, empty = {}, {}
for _, name in ipairs(names) do
  local length = redis.pcall('LLEN', ARGV[1] .. 'ring:' .. name)
  if length == 0 then
    empty[#empty + 1] = name
  elseif type(length) == 'number' then
    rings[#rings + 1] = name
    rings[#rings + 1] = digits(length)
  end
end
in_chunks('ZREM', KEYS[1], empty)
return { #names == tonumber(ARGV[3]) and names[#names] or '', rings }
