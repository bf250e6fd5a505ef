-- count: how much of each of these queues is in which state, and how old its oldest ready message is.
--
-- KEYS[1]  zset  timers
-- KEYS[2]  hash  config
-- ARGV[1]  root   what every key of the shard begins with
-- ARGV[2]  clock  '' or epoch ms, in tests
-- ARGV[3…] queue, pool, …  200 queues at most
-- Returns  for each queue {{priority, ready, …}, delayed, leased, dead, oldest ready (epoch ms) or '', config or '', '1' if
--          these are all}
-- Replay   reads only
-- Cost     4 commands, 1 for each pool, 3 for each queue of which none is ready; 1 for each lane with work, 2 for each of a
--          queue's 10 first, 1 or 2 for each lease of 100 looked at; never more with a longer backlog

-- Timers looked at for delayed messages and leases, lanes in one index.
local TIMERS, LEASES, INDEX = 1000, 100, 4000

local root = ARGV[1]
local counts, order, pools = {}, {}, {}
for i = 3, #ARGV, 2 do
  local queue, pool = ARGV[i], ARGV[i + 1]
  counts[queue] = { lanes = {}, delayed = 0, leased = 0 }
  order[#order + 1] = queue
  pools[pool] = pools[pool] or false
  counts[queue].pool = pool
end

-- The lanes of these queues that an index names. Returns whether all of it was seen.
local function look_into(key)
  local lanes = redis.call('ZRANGE', key, '0', digits(INDEX - 1))
  for _, lane in ipairs(lanes) do
    local count = lane ~= RESTRICTED and counts[queue_of(lane)]
    if count then count.lanes[#count.lanes + 1] = lane end
  end
  return #lanes < INDEX
end

for pool in pairs(pools) do pools[pool] = look_into(root .. 'ready:' .. pool) end
for _, queue in ipairs(order) do
  local count = counts[queue]
  count.complete = look_into(root .. 'parked:' .. queue) and pools[count.pool]
end

local function count_leased(lease)
  local entries = read_lease(root .. 'lease:' .. lease) or {}
  for from = 1, #entries, READ do
    local keys = {}
    for i = from, math.min(from + READ - 1, #entries) do keys[#keys + 1] = root .. 'm:' .. id_of(entries[i].entry) end
    for _, envelope in ipairs(redis.call('MGET', unpack(keys))) do
      local header = header_of(envelope)
      local count = header and counts[queue_of(header.lane)]
      if count then count.leased = count.leased + 1 end
    end
  end
end

local leases = 0
local timers = redis.call('ZRANGE', KEYS[1], '0', digits(TIMERS - 1))
for _, member in ipairs(timers) do
  local lane, lease = string.match(member, '^[mh] %S+ (%d:%S+) '), string.match(member, '^l (%S+)$')
  local count = lane and counts[queue_of(lane)]
  if count then count.delayed = count.delayed + 1 end
  if lease and leases < LEASES then
    leases = leases + 1
    count_leased(lease)
  end
end
local timers_complete = #timers < TIMERS and leases < LEASES

-- Returns {priority, ready, …} and how old the oldest is, as far as the heads of ten lanes say.
local function ready_of(lanes)
  local by_priority, oldest, ready = {}, '', {}
  table.sort(lanes)
  for i, lane in ipairs(lanes) do
    local priority = string.sub(lane, 1, 1)
    by_priority[priority] = (by_priority[priority] or 0) + redis.call('LLEN', root .. 'lane:' .. lane)
    local head = i <= 10 and redis.call('LINDEX', root .. 'lane:' .. lane, '-1')
    local envelope = head and redis.call('GETRANGE', root .. 'm:' .. id_of(head), '0', '1023')
    local since = envelope and string.match(envelope, '^%S+ %S+ %d+ (%d+) ')
    if since and (oldest == '' or tonumber(since) < tonumber(oldest)) then oldest = since end
  end
  for priority, count in pairs(by_priority) do
    ready[#ready + 1] = priority
    ready[#ready + 1] = digits(count)
  end
  return ready, oldest
end

local settings = redis.call('HMGET', KEYS[2], unpack(order))
local answer = {}
for i, queue in ipairs(order) do
  local count = counts[queue]
  local ready, oldest = ready_of(count.lanes)
  local dead = digits(redis.call('ZCARD', root .. 'dead:' .. queue))
  local complete = count.complete and timers_complete and '1' or '0'
  answer[i] = { ready, digits(count.delayed), digits(count.leased), dead, oldest, settings[i] or '', complete }
end
return answer
