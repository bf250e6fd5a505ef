-- age: lanes of queues that promise a longest wait get a turn among the most urgent when they were not served for so long, or
-- their next message is as old.

--- @include clock entry lane since definitions limits

-- Lanes of one priority looked at: those that were served least recently, and where there are more, in each round other ones
-- too.
local LOOKED_AT = 1000

-- Lanes whose next message is looked at in one call, at two commands each: only such as were served lately and hold more.
local HEADS = 250

local function lanes_of_priority(index, priority, round)
  local from, to = digits(priority * TURN), '(' .. digits((priority + 1) * TURN)
  local function part(at)
    return redis.pcall('ZRANGE', index, from, to, 'BYSCORE', 'LIMIT', digits(at), digits(LOOKED_AT), 'WITHSCORES')
  end
  local lanes = part(0)
  if lanes.err or #lanes < 2 * LOOKED_AT then return lanes.err and {} or lanes end
  local more = round % math.ceil(redis.call('ZCOUNT', index, from, to) / LOOKED_AT)
  for _, field in ipairs(more > 0 and part(more * LOOKED_AT) or {}) do lanes[#lanes + 1] = field end
  return lanes
end

-- Never raises: it comes behind what timers have moved.
local function promote(shard, index, priority, round, heads)
  local found, turns = lanes_of_priority(index, priority, round), {}
  definitions.load(shard, found)
  for i = 1, #found, 2 do
    local queue, last = queue_of(found[i]), (tonumber(found[i + 1]) - priority * TURN) / TICKS
    local policy = queue and policy_of(shard, queue)
    if policy and policy.max_wait then
      if shard.now - last < policy.max_wait and heads > 0 then
        heads, last = heads - 1, since_of_next(shard.root, found[i]) or last
      end
      if shard.now - last >= policy.max_wait then
        turns[#turns + 1] = digits(last * TICKS)
        turns[#turns + 1] = found[i]
      end
    end
  end
  try_in_chunks('ZADD', index, turns)
  return heads
end

-- Looks at all priorities of the pools that have such queues: of pull queues that Redis keeps, those that are this sweep's.
local function age(shard, round)
  local pools, heads = {}, HEADS
  for _, pool in string.gmatch(shard.policies, '\n(%S+) (%S+)[^\n]* a=%d') do pools[pool] = true end
  for queue, pool in pairs(shard.digest and shard.pools or {}) do
    local policy = pool ~= '*' and policy_of(shard, queue)
    if policy and policy.max_wait then pools[pool] = true end
  end
  for pool in pairs(pools) do
    local index = shard.root .. 'ready:' .. pool
    for priority = 1, 9 do heads = promote(shard, index, priority, round, heads) end
  end
end
