-- list-queues: the queues that storage knows, whether the deployment has them or not.
--
-- KEYS[1]  hash  config
-- Beyond   blocked:<queue>, dead:<queue>, parts, ready:<pool>, stats:totals
-- ARGV[1]  text   root    what every key of the shard begins with
-- ARGV[…]  text…  queues  queues asked for besides: they are among the answers where anything of them is there
-- Returns  {queue, pool, …}
-- Replay   reads only
-- Cost     4 commands, 1 for each 200 queues remembered, 1 for each asked for, 2 where nothing is there

--- @include clock entry

-- Lanes of the shared index looked at, to tell those that no sweep has met yet.
local LANES = 1000

local root, pools = ARGV[1], {}
local totals = root .. 'stats:totals'

local function known(queue, pool)
  if queue and string.find(queue, '^%w[%w_.-]*$') then pools[queue] = pools[queue] or pool end
end

local fields, remembered = redis.pcall('HKEYS', totals), {}
for i = 1, fields.err and 0 or #fields do
  if string.sub(fields[i], 1, 1) == '?' then remembered[#remembered + 1] = fields[i] end
end
for from = 1, #remembered, CHUNK do
  local to = math.min(from + CHUNK - 1, #remembered)
  for i, pool in ipairs(redis.call('HMGET', totals, unpack(remembered, from, to))) do
    known(string.sub(remembered[from + i - 1], 2), pool)
  end
end
local settings = redis.pcall('HGETALL', KEYS[1])
for i = 1, settings.err and 0 or #settings, 2 do known(settings[i], string.match(settings[i + 1], '^%l+ (%S+)') or '*') end
local lanes = redis.pcall('ZRANGE', root .. 'ready:*', '0', digits(LANES - 1))
for i = 1, lanes.err and 0 or #lanes do known(queue_of(lanes[i]), '*') end
for i = 2, #ARGV do
  local own = root .. 'ready:' .. ARGV[i]
  local dead = 'dead:' .. ARGV[i]
  local is_there = not pools[ARGV[i]] and redis.call('EXISTS', own, root .. 'blocked:' .. ARGV[i], root .. dead) > 0
  if is_there or (not pools[ARGV[i]] and redis.pcall('HEXISTS', root .. 'parts', dead) == 1) then
    known(ARGV[i], redis.call('EXISTS', own) == 1 and ARGV[i] or '*')
  end
end
for i = 1, fields.err and 0 or #fields do known(fields[i], '*') end -- it once had counters, before queues were remembered

local answer = {}
for queue, pool in pairs(pools) do
  answer[#answer + 1] = queue
  answer[#answer + 1] = pool
end
return answer
