-- failure-groups: why the newest dead letters of a queue died: the last failure of each.
--
-- KEYS[1]  zset   dead:<queue>
-- Beyond   failures:<id>
-- ARGV[1]  text    root   what every key of the shard begins with
-- ARGV[2]  text    queue
-- ARGV[3]  number  limit  of dead letters looked at
-- Returns  {how many there are, {id, dead since (epoch ms), '<attempt> <at> <kind> <text>' or '', …}}
-- Replay   reads only
-- Cost     3 commands and 1 for each 200 dead letters looked at

--- @include clock entry lease foreign

local key, ids, since, answer = KEYS[1], {}, {}, {}
local letters = redis.call('ZRANGE', key, '-' .. ARGV[3], '-1', 'WITHSCORES')
for i = 1, #letters, 2 do
  local entry = read_item(letters[i]).entry
  if entry and is_entry(entry) then ids[#ids + 1], since[#since + 1] = id_of(entry), letters[i + 1] end
end
for i, lines in ipairs(failures_of(ARGV[1], ids)) do
  answer[#answer + 1] = ids[i]
  answer[#answer + 1] = since[i]
  answer[#answer + 1] = string.match(lines or '', '([^\n]*)$')
end
return { digits(redis.call('ZCARD', key)), answer }
