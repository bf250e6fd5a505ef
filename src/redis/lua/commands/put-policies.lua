-- put-policies: keeps a part of what a deployment defines, for the calls that name it by its digest.
--
-- KEYS[1]  hash  policies:<digest>
-- KEYS[2]  hash  stats:totals
-- Beyond   nothing: all its keys are declared
-- ARGV[1]  number  fields  how many there are in all, where this is the last part; else 0
-- ARGV[2]  text    queues  on this part, which are to be remembered: '\n<queue> <pool>' for each
-- ARGV[…]  text…   part    field, value, …: see definitions.lua
-- Returns  '0' where this is the last part and another is gone: all are to be put again. Else '1'
-- Replay   puts the same
-- Cost     1 command for each 100 fields, and 1 for each 100 queues; 1 more, and behind the last part 2 more

--- @include clock entry definitions

local fields, known = tonumber(ARGV[1]), {}
for from = 3, #ARGV, CHUNK do
  redis.call('HSET', KEYS[1], unpack(ARGV, from, math.min(from + CHUNK - 1, #ARGV)))
  if from == 3 then redis.call('PEXPIRE', KEYS[1], digits(definitions.LASTS_MS)) end
end
for queue, pool in string.gmatch(ARGV[2], '\n(%S+) (%S+)') do known[#known + 1], known[#known + 2] = '?' .. queue, pool end
try_in_chunks('HSET', KEYS[2], known)
if fields > 0 then
  if redis.call('HLEN', KEYS[1]) < fields then return '0' end
  redis.call('HSET', KEYS[1], '!', '1')
end
return '1'
