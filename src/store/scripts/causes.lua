-- causes: why the newest dead letters of a queue died: the last failure of each.
--
-- KEYS[1]  hash   failures
-- ARGV[1]  root   what every key of the shard begins with
-- ARGV[2]  queue
-- ARGV[3]  limit  of dead letters looked at
-- Returns  {how many there are, {id, dead since (epoch ms), '<attempt> <at> <kind> <text>' or '', …}}
-- Replay   reads only
-- Cost     3 commands and 1 for each 200 dead letters looked at

local key, answer = ARGV[1] .. 'dead:' .. ARGV[2], {}
local letters = redis.call('ZRANGE', key, '-' .. ARGV[3], '-1', 'WITHSCORES')
for from = 1, #letters, 2 * CHUNK do
  local ids = {}
  for i = from, math.min(from + 2 * CHUNK - 1, #letters), 2 do ids[#ids + 1] = id_of(read_item(letters[i]).entry) end
  for i, lines in ipairs(redis.call('HMGET', KEYS[1], unpack(ids))) do
    answer[#answer + 1] = ids[i]
    answer[#answer + 1] = letters[from + 2 * i - 1]
    answer[#answer + 1] = string.match(lines or '', '([^\n]*)$')
  end
end
return { digits(redis.call('ZCARD', key)), answer }
