-- recall: schedules by id, those that the caller has to do something about.
--
-- KEYS[1]  hash  schedules
-- ARGV[1]  root   what every key of the shard begins with
-- ARGV[2]  clock  '' or epoch ms, in tests
-- ARGV[…]  up to 50 × (id, revision that the caller knows, or '' to have it in any case)
-- Returns  {now, {id, record or '', …}}: of those with a revision only what has another one, is missing, or overdue
-- Replay   reads only
-- Cost     3 commands

local now, ids = clock(ARGV[2]), {}
for i = 3, #ARGV, 2 do ids[#ids + 1] = ARGV[i] end
local records, answer = redis.call('HMGET', KEYS[1], unpack(ids)), {}
for i, id in ipairs(ids) do
  local revision = ARGV[2 * i + 2]
  local due, state, known = string.match(records[i] or '', '^(%d+) (%l+) %l+ (%S+) ')
  if revision == '' or revision ~= known or (state == 'active' and tonumber(due) <= now) then
    answer[#answer + 1] = id
    answer[#answer + 1] = records[i] or ''
  end
end
return { digits(now), answer }
