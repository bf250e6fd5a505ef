-- list-leases: a page of the leases that hold messages now, the next to expire first, and whether a drain is at work.
--
-- KEYS[1]  zset    timers
-- KEYS[2]  string  awake
-- KEYS[3]  string  sleeper
-- Beyond   lease:<lease>, m:<id>
-- ARGV[1]  text    root    what every key of the shard begins with
-- ARGV[2]  clock   clock   '' or epoch ms, in tests
-- ARGV[3]  number  limit   of leases on the page
-- ARGV[4]  text    cursor  rank among the timers, '0' begins
-- Returns  {now (epoch ms), next cursor or '', awake or '', sleeper or '', {lease, expires (epoch ms), held, {pool, lane, …} of the
--          newest it holds}, …}. A page may have fewer than the limit, or none, and still not be the last
-- Replay   reads only. What moves between two pages may come twice or not at all
-- Cost     4 commands and 3 for each lease

--- @include clock entry foreign

-- Of each lease so many entries are looked at, READ at most.
local TIMERS, LOOK_AT = 1000, 20

local root, limit, from = ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[4])

local function held_by(lease)
  local key, lanes, keys = root .. 'lease:' .. lease, {}, {}
  local raws = redis.pcall('LRANGE', key, '0', digits(LOOK_AT - 1))
  for i, item in ipairs(entries_in(raws.err and {} or raws)) do keys[i] = root .. 'm:' .. id_of(item.entry) end
  if #keys == 0 then return '0', lanes end
  for _, envelope in ipairs(redis.call('MGET', unpack(keys))) do
    local header = header_of(envelope)
    if header then
      lanes[#lanes + 1] = header.pool
      lanes[#lanes + 1] = header.lane
    end
  end
  return digits(redis.call('LLEN', key)), lanes
end

local states = redis.call('MGET', KEYS[2], KEYS[3])
local members = redis.call('ZRANGE', KEYS[1], digits(from), digits(from + TIMERS - 1), 'WITHSCORES')
local more = #members == 2 * TIMERS and digits(from + TIMERS) or ''
local answer = { digits(clock(ARGV[2])), more, states[1] or '', states[2] or '' }
for i = 1, #members, 2 do
  local lease = string.match(members[i], '^l (%S+)$')
  if lease then
    local held, lanes = held_by(lease)
    answer[#answer + 1] = { lease, members[i + 1], held, lanes }
  end
  if #answer == 4 + limit then
    answer[2] = i + 1 < #members and digits(from + (i + 1) / 2) or more
    break
  end
end
return answer
