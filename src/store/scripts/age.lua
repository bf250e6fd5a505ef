-- age: lanes of queues that promise a longest wait get a turn among the most urgent when they were not served for so long, or
-- their next message is as old.

-- Lanes of one priority looked at, those first that were served least recently.
local LOOKED_AT = 1000

-- Lanes whose next message is looked at in one call, at two commands each: only such as were served lately and hold more.
local HEADS = 250

-- When the next message of a lane was enqueued; nil where that cannot be told.
local function since_of_next(shard, lane)
  local entry = redis.pcall('LINDEX', shard.root .. 'lane:' .. lane, '-1')
  local id = type(entry) == 'string' and id_of(entry)
  if not id then return nil end
  local start = redis.pcall('GETRANGE', shard.root .. 'm:' .. id, '0', '1500') -- the longest lane has 1,219 characters
  return type(start) == 'string' and tonumber(string.match(start, '^%S+ %S+ %d+ (%d+) ')) or nil
end

local function promote(shard, index, priority, heads)
  local from, to = digits(priority * TURN), '(' .. digits((priority + 1) * TURN)
  local found = redis.pcall('ZRANGE', index, from, to, 'BYSCORE', 'LIMIT', '0', digits(LOOKED_AT), 'WITHSCORES')
  local turns = {}
  for i = 1, found.err and 0 or #found, 2 do
    local policy, last = policy_of(shard, queue_of(found[i])), (tonumber(found[i + 1]) - priority * TURN) / TICKS
    if policy and policy.max_wait then
      if shard.now - last < policy.max_wait and heads > 0 then
        heads, last = heads - 1, since_of_next(shard, found[i]) or last
      end
      if shard.now - last >= policy.max_wait then
        turns[#turns + 1] = digits(last * TICKS)
        turns[#turns + 1] = found[i]
      end
    end
  end
  in_chunks('ZADD', index, turns)
  return heads
end

-- Looks at all priorities of the pools that have such queues.
local function age(shard)
  local pools, heads = {}, HEADS
  for _, pool in string.gmatch(shard.policies, '\n(%S+) (%S+)[^\n]* a=%d') do
    for priority = 1, pools[pool] and 0 or 9 do heads = promote(shard, shard.root .. 'ready:' .. pool, priority, heads) end
    pools[pool] = true
  end
end
