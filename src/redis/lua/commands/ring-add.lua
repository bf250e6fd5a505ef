-- ring-add: items join the end of a ring, those that are not in it.
--
-- KEYS[1]  list  ring   the next item stands right
-- KEYS[2]  zset  rings  names of rings that have items, score 0
-- Beyond   nothing: all its keys are declared
-- ARGV[1]  text    name
-- ARGV[2]  number  most   items that the ring may have
-- ARGV[…]  text…   items  items, 1 to 1,000
-- Returns  {added, length}, or {'full'}: nothing was added
-- Replay   {0, length}
-- Cost     4 commands, 1 for each further 1,000 items in the ring and each further 200 added

--- @include clock entry

-- Items read at once: of the largest 1 MB.
local PAGE = 1000

local length, known, fresh = redis.call('LLEN', KEYS[1]), {}, {}
for from = 0, length - 1, PAGE do
  local page = redis.call('LRANGE', KEYS[1], digits(from), digits(from + PAGE - 1))
  for _, item in ipairs(page) do known[item] = true end
end
for i = 3, #ARGV do
  if not known[ARGV[i]] then
    known[ARGV[i]] = true
    fresh[#fresh + 1] = ARGV[i]
  end
end
if length + #fresh > tonumber(ARGV[2]) then return { 'full' } end
local refused = attempt(function()
  redis.call('ZADD', KEYS[2], '0', ARGV[1])
  undo_by(function()
    if length == 0 then redis.pcall('ZREM', KEYS[2], ARGV[1]) end
  end)
  push_left(KEYS[1], fresh)
end)
if refused then return redis.error_reply(refused) end
return { digits(#fresh), digits(length + #fresh) }
