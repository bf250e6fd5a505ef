-- get-schedules: schedules by id, those that the caller has to do something about.
--
-- KEYS[1]  hash  schedules
-- KEYS[2]  hash  stats:totals
-- Beyond   nothing: all its keys are declared
-- ARGV[1]  text   root     what every key of the shard begins with
-- ARGV[2]  clock  clock    '' or epoch ms, in tests
-- ARGV[3]  text   version  of the caller's schedules, to be noted as registered last where all of these are as it knows them; '' notes nothing
-- ARGV[…]  text…  known    up to 50 × (id, revision that the caller knows, or '' to have it in any case)
-- Returns  {now, {id, record or '', …}}: of those with a revision only what has another one, is missing, or overdue
-- Replay   the same
-- Cost     3 commands, 2 more where it notes

--- @include clock

-- Under '=', '<when, epoch ms> <version> …': the last of them, newest first.
local VERSIONS = 4
local function note(version, now)
  local noted, versions = redis.pcall('HGET', KEYS[2], '='), { digits(now), version }
  for other in string.gmatch(type(noted) == 'string' and noted or '', ' (%S+)') do
    if other ~= version and #versions <= VERSIONS then versions[#versions + 1] = other end
  end
  redis.pcall('HSET', KEYS[2], '=', table.concat(versions, ' '))
end

local now, ids, differs = clock(ARGV[2]), {}, false
for i = 4, #ARGV, 2 do ids[#ids + 1] = ARGV[i] end
local records, answer = redis.call('HMGET', KEYS[1], unpack(ids)), {}
for i, id in ipairs(ids) do
  local revision = ARGV[2 * i + 3]
  local due, state, known = string.match(records[i] or '', '^(%d+) (%l+) %l+ (%S+) ')
  differs = differs or revision ~= known
  if revision == '' or revision ~= known or (state == 'active' and tonumber(due) <= now) then
    answer[#answer + 1] = id
    answer[#answer + 1] = records[i] or ''
  end
end
if ARGV[3] ~= '' and not differs then note(ARGV[3], now) end
return { digits(now), answer }
