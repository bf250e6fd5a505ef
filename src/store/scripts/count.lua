-- count: how much of a queue is in which state, and how old the oldest ready message is.
--
-- KEYS[1]  zset  timers
-- KEYS[2]  hash  config
-- ARGV[1]  root   what every key of the shard begins with
-- ARGV[2]  clock  '' or epoch ms, in tests
-- ARGV[3]  queue
-- ARGV[4]  pool
-- Returns  {{priority, ready, …}, delayed, leased, dead, oldest ready (epoch ms) or '', config or '', '1' if these are all}
-- Replay   reads only
-- Cost     6 commands, 1 for each lane of the queue (of 1,000 looked at), 2 for each of its 10 first, 1 or 2 for each lease
--          of 100 looked at; never more with a longer backlog

-- Timers looked at for delayed messages and leases.
local TIMERS, LEASES = 1000, 100

local root, queue, pool = ARGV[1], ARGV[3], ARGV[4]
local lanes, complete = lanes_of_queue(root, pool, queue)
local by_priority, oldest = {}, ''
for i, lane in ipairs(lanes) do
  local priority = string.sub(lane, 1, 1)
  by_priority[priority] = (by_priority[priority] or 0) + redis.call('LLEN', root .. 'lane:' .. lane)
  local head = i <= 10 and redis.call('LINDEX', root .. 'lane:' .. lane, '-1')
  local envelope = head and redis.call('GETRANGE', root .. 'm:' .. id_of(head), '0', '1023')
  local since = envelope and string.match(envelope, '^%S+ %S+ %d+ (%d+) ')
  if since and (oldest == '' or tonumber(since) < tonumber(oldest)) then oldest = since end
end

local delayed_count, leased, leases = 0, 0, 0
local timers = redis.call('ZRANGE', KEYS[1], '0', digits(TIMERS - 1))
for _, member in ipairs(timers) do
  local lane, lease = string.match(member, '^[mh] %S+ (%d:%S+) '), string.match(member, '^l (%S+)$')
  if lane and queue_of(lane) == queue then delayed_count = delayed_count + 1 end
  if lease and leases < LEASES then
    leases = leases + 1
    local entries = read_lease(root .. 'lease:' .. lease) or {}
    for from = 1, #entries, READ do
      local keys = {}
      for i = from, math.min(from + READ - 1, #entries) do keys[#keys + 1] = root .. 'm:' .. id_of(entries[i].entry) end
      for _, envelope in ipairs(redis.call('MGET', unpack(keys))) do
        local header = header_of(envelope)
        if header and queue_of(header.lane) == queue then leased = leased + 1 end
      end
    end
  end
end
complete = complete and #timers < TIMERS and leases < LEASES

local ready = {}
for priority, count in pairs(by_priority) do
  ready[#ready + 1] = priority
  ready[#ready + 1] = digits(count)
end
local dead = digits(redis.call('ZCARD', root .. 'dead:' .. queue))
local config = redis.call('HGET', KEYS[2], queue)
return { ready, digits(delayed_count), digits(leased), dead, oldest, config or '', complete and '1' or '0' }
