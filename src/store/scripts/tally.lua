-- tally: adds to the counts of sources, once per token, or reads all of them.
--
-- KEYS[1]  string  req:<token>  the additions, once applied
-- KEYS[2]  hash    sources      '<source> <what>' to how many
-- ARGV[1]  ms      how long a replay is recognised
-- ARGV[2…] (field, count) each; none: it reads
-- Returns  'added' | 'repeated', or the hash, flat
-- Replay   'repeated', and nothing is counted twice
-- Cost     4 commands, however many fields, and 1 for each in a replay; 2 to read

local fields = {}
for i = 2, #ARGV, 2 do fields[#fields + 1] = ARGV[i] end
if #fields == 0 then return redis.call('HGETALL', KEYS[2]) end

-- The record comes last. Where it is there already, or is refused, the counts are as they were again.
local counts = redis.call('HMGET', KEYS[2], unpack(fields))
local sums = {}
for i, field in ipairs(fields) do
  sums[#sums + 1] = field
  sums[#sums + 1] = string.format('%.0f', (tonumber(counts[i] or '') or 0) + tonumber(ARGV[2 * i + 1]))
end
redis.call('HSET', KEYS[2], unpack(sums))
local recorded = redis.pcall('SET', KEYS[1], 'tally', 'NX', 'PX', ARGV[1])
if recorded and not recorded.err then return 'added' end
for i, field in ipairs(fields) do
  if counts[i] then redis.pcall('HSET', KEYS[2], field, counts[i]) else redis.pcall('HDEL', KEYS[2], field) end
end
return recorded and redis.error_reply(recorded.err) or 'repeated'
