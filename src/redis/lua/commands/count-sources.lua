-- count-sources: adds to the counts of sources, once per token, or reads all of them.
--
-- KEYS[1]  string  req:<token>  the additions, once applied
-- KEYS[2]  hash    sources      '<source> <what>' to how many
-- Beyond   nothing: all its keys are declared
-- ARGV[1]  number  recognisedMs  how long a replay is recognised
-- ARGV[…]  text…   counts        (field, count) each; none: it reads
-- Returns  'added' | 'repeated', or the hash, flat
-- Replay   'repeated', and nothing is counted twice
-- Cost     4 commands, however many fields; 2 to read

local fields = {}
for i = 2, #ARGV, 2 do fields[#fields + 1] = ARGV[i] end
if #fields == 0 then return redis.call('HGETALL', KEYS[2]) end

-- The record comes first, and is taken back where the sums are refused: they cannot be taken back, and would count twice.
local counts, sums = redis.call('HMGET', KEYS[2], unpack(fields)), {}
if not redis.call('SET', KEYS[1], 'counters', 'NX', 'PX', ARGV[1]) then return 'repeated' end
for i, field in ipairs(fields) do
  sums[#sums + 1] = field
  sums[#sums + 1] = string.format('%.0f', (tonumber(counts[i] or '') or 0) + tonumber(ARGV[2 * i + 1]))
end
local added = redis.pcall('HSET', KEYS[2], unpack(sums))
if type(added) == 'number' then return 'added' end
redis.call('UNLINK', KEYS[1])
return added
