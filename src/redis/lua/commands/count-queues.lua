-- count-queues: how much of each of these queues is in which state, and how old its oldest ready message is.
--
-- KEYS[1]  zset  timers
-- KEYS[2]  hash  config
-- Beyond   blocked:<queue>, dead:<queue>, lane:<lane>, lease:<lease>, m:<id>, part:<number>:<lane>, parts, ready:<pool>
-- ARGV[1]  text   root    what every key of the shard begins with
-- ARGV[…]  text…  queues  queues, 200 at most
-- Returns  for each queue {{priority, ready, …}, delayed, leased, dead, oldest ready (epoch ms) or '', config or '', '1' if
--          these are all that are ready, '1' if no ready message is older, '1' if these are all that are delayed and leased: else
--          count-waiting tells}
-- Replay   reads only
-- Cost     7 commands, of 200 queues 8, however many have nothing; 1 for each lane with work, 2 for each of a queue's 10 first, a few for
--          each queue with an index of its own, blocked lanes or dead letters, 1 or 2 for each lease of 100 looked at; never more
--          with a longer backlog

--- @include clock entry foreign there parts since

-- Timers looked at for delayed messages and leases, leases, what they hold, lanes in one index, and lanes whose next message is
-- looked at: those first that were served least recently.
local TIMERS, LEASES, HELD, INDEX, HEADS = 1000, 100, 2000, 4000, 10

local root = ARGV[1]
local counts, order, own, blocked, dead = {}, {}, {}, {}, {}
for i = 2, #ARGV do
  local queue = ARGV[i]
  counts[queue] = { lanes = {}, seen = {}, delayed = 0, leased = 0, dead = 0, complete = true }
  order[i - 1] = queue
  own[i - 1], blocked[i - 1], dead[i - 1] = root .. 'ready:' .. queue, root .. 'blocked:' .. queue, root .. 'dead:' .. queue
end

local function name_behind(kind, key) return string.sub(key, #root + #kind + 1) end

-- Notes the lanes of these queues that an index names: the shared one, or that of one queue.
local function look_into(key, queue)
  local lanes = redis.pcall('ZRANGE', key, '0', digits(INDEX - 1))
  for i = 1, lanes.err and 0 or #lanes do
    local count = counts[queue_of(lanes[i]) or '']
    if count and not count.seen[lanes[i]] then
      count.lanes[#count.lanes + 1], count.seen[lanes[i]] = lanes[i], true
    end
  end
  for of, count in pairs((lanes.err or #lanes == INDEX) and counts or {}) do
    if not queue or queue == of then count.complete = false end
  end
end

-- A lane may stand in the shared index, or in that of its queue, whatever the deployment says by now.
look_into(root .. 'ready:*')
for _, key in ipairs(those_there(own)) do look_into(key, name_behind('ready:', key)) end
for _, key in ipairs(those_there(blocked)) do look_into(key, name_behind('blocked:', key)) end
-- Lane → { its parts …, marks = }.
local divided = {}

local function add_letters(queue, key)
  local count, length = counts[queue], redis.pcall('ZCARD', key)
  if type(length) == 'number' then count.dead = count.dead + length else count.complete = false end
end

local function look_at_parts()
  local fields = redis.pcall('HGETALL', root .. 'parts')
  for i = 1, fields.err and 0 or #fields, 2 do
    local lane, queue = string.match(fields[i], '%d:[^:]+$') or '', string.match(fields[i], '^dead:(.+)$')
    divided[lane] = divided[lane] or { marks = 0 }
    divided[lane].marks = divided[lane].marks + 1
    for number in string.gmatch(fields[i + 1], '%d+') do
      if counts[queue] then
        add_letters(queue, root .. fields[i] .. ':' .. number)
      else
        table.insert(divided[lane], 'part:' .. number .. ':' .. lane)
      end
    end
  end
end

-- Whether there are any is asked along with dead letters, where there is room.
if #dead < CHUNK then dead[#dead + 1] = root .. 'parts' else look_at_parts() end

-- How many entries a lane has.
local function length_of(lane)
  local length, parts = redis.pcall('LLEN', root .. 'lane:' .. lane), divided[lane] or { marks = 0 }
  length = type(length) == 'number' and length - parts.marks or 0
  for _, part in ipairs(parts) do length = length + redis.call('LLEN', root .. part) end
  return length
end

for _, key in ipairs(those_there(dead)) do
  if key == root .. 'parts' then look_at_parts() else add_letters(name_behind('dead:', key), key) end
end

local held = 0
local function count_leased(lease)
  local raws = redis.pcall('LRANGE', root .. 'lease:' .. lease, '0', digits(HELD - held))
  local items = entries_in(raws.err and {} or raws)
  held = held + #items
  for from = 1, #items, READ do
    local keys = {}
    for i = from, math.min(from + READ - 1, #items) do keys[#keys + 1] = root .. 'm:' .. id_of(items[i].entry) end
    for _, envelope in ipairs(redis.call('MGET', unpack(keys))) do
      local header = header_of(envelope)
      local count = header and counts[queue_of(header.lane)]
      if count then count.leased = count.leased + 1 end
    end
  end
end

local leases, overflows = 0, false
local timers = redis.call('ZRANGE', KEYS[1], '0', digits(TIMERS - 1))
for _, member in ipairs(timers) do
  local lane, lease = string.match(member, '^[mh] %S+ (%d:%S+) '), string.match(member, '^l (%S+)$')
  local count = lane and counts[queue_of(lane)]
  if count then count.delayed = count.delayed + 1 end
  overflows = overflows or string.byte(member) == 43 -- as overflow.lua marks others
  if lease and leases < LEASES and held <= HELD then
    leases = leases + 1
    count_leased(lease)
  end
end
local timers_complete = not overflows and #timers < TIMERS and leases < LEASES and held <= HELD

-- Returns {priority, ready, …} and how old the oldest is, as far as the heads of a few lanes say.
local function ready_of(lanes)
  local by_priority, oldest, ready = {}, nil, {}
  for i, lane in ipairs(lanes) do
    local priority = string.sub(lane, 1, 1)
    by_priority[priority] = (by_priority[priority] or 0) + length_of(lane)
    local since = i <= HEADS and since_of_next(root, lane)
    if since and since < (oldest or math.huge) then oldest = since end
  end
  for priority, count in pairs(by_priority) do
    ready[#ready + 1] = priority
    ready[#ready + 1] = digits(count)
  end
  return ready, oldest and digits(oldest) or ''
end

local settings = redis.call('HMGET', KEYS[2], unpack(order))
local answer = {}
for i, queue in ipairs(order) do
  local count = counts[queue]
  local ready, oldest = ready_of(count.lanes)
  local complete, all_waiting = count.complete and '1' or '0', timers_complete and '1' or '0'
  local is_oldest = count.complete and #count.lanes <= HEADS and '1' or '0'
  local delayed, leased, letters = digits(count.delayed), digits(count.leased), digits(count.dead)
  answer[i] = { ready, delayed, leased, letters, oldest, settings[i] or '', complete, is_oldest, all_waiting }
end
return answer
