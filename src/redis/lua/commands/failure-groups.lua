-- failure-groups: why the newest dead letters of a queue died: the last failure of each.
--
-- KEYS[1]  zset   dead:<queue>
-- Beyond   dead:<queue>, failures:<id>, parts
-- ARGV[1]  text    root   what every key of the shard begins with
-- ARGV[2]  text    queue
-- ARGV[3]  number  limit  of dead letters looked at
-- Returns  {how many there are, {id, dead since (epoch ms), '<attempt> <at> <kind> <text>' or '', …}}
-- Replay   reads only
-- Cost     4 commands, 2 for each part, and 1 for each 200 dead letters looked at

--- @include clock entry lease foreign letters

local ids, since, answer = {}, {}, {}
local records, pages, left, count = letters.records(ARGV[1], ARGV[2]), {}, tonumber(ARGV[3]), 0
for i = #records, 1, -1 do
  local page = left > 0 and redis.call('ZRANGE', records[i], digits(-left), '-1', 'WITHSCORES') or {}
  table.insert(pages, 1, page)
  left, count = left - #page / 2, count + redis.call('ZCARD', records[i])
end
for _, page in ipairs(pages) do
  for i = 1, #page, 2 do
    local entry = read_item(page[i]).entry
    if entry and is_entry(entry) then ids[#ids + 1], since[#since + 1] = id_of(entry), page[i + 1] end
  end
end
for i, lines in ipairs(failures_of(ARGV[1], ids)) do
  answer[#answer + 1] = ids[i]
  answer[#answer + 1] = since[i]
  answer[#answer + 1] = string.match(lines or '', '([^\n]*)$')
end
return { digits(count), answer }
