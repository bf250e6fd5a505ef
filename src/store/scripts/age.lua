-- age: lanes of queues that promise a longest wait get a turn among the most urgent when they were not served for so long.

-- Lanes of one priority looked at, those first that were served least recently.
local LOOKED_AT = 1000

local function promote(shard, index, priority, longest)
  local served_by = digits(priority * TURN + shard.now - longest)
  local found = redis.pcall('ZRANGE', index, digits(priority * TURN), served_by, 'BYSCORE', 'LIMIT', '0', digits(LOOKED_AT), 'WITHSCORES')
  local turns = {}
  for i = 1, found.err and 0 or #found, 2 do
    local policy, last = policy_of(shard, queue_of(found[i])), tonumber(found[i + 1]) - priority * TURN
    if policy and policy.max_wait and shard.now - last >= policy.max_wait then
      turns[#turns + 1] = string.format('%.3f', last)
      turns[#turns + 1] = found[i]
    end
  end
  in_chunks('ZADD', index, turns)
end

-- Looks at all priorities of the pools that have such queues.
local function age(shard)
  local longest = {} -- by pool, the shortest of the longest waits
  for queue, pool, ms in string.gmatch(shard.policies, '\n(%S+) (%S+)[^\n]* a=(%d+)') do
    longest[pool] = math.min(longest[pool] or math.huge, tonumber(ms))
  end
  for pool, ms in pairs(longest) do
    for priority = 1, 9 do promote(shard, shard.root .. 'ready:' .. pool, priority, ms) end
  end
end
