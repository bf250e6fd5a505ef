-- named: the keys that a sweep looks for by their names, because the deployment knows them: indexes, blocked lanes, what operators
-- set, the counts of slots, and a look for strays that is under way. None of them is there in an idle system, which one command tells.
--
-- `round` counts the sweeps: where there is more than one of them looks at, each goes on with another part.

--- @include clock entry lane there check slots keys

-- Indexes and sets of blocked lanes looked into by one sweep.
local NAMED = 20

-- What one EXISTS asks for: the keys of queues in turns where there are too many.
local function named_keys(shard, round)
  local queues, keys = {}, {}
  for queue in pairs(shard.pools) do queues[#queues + 1] = queue end
  table.sort(queues)
  local most = CHUNK / 2 - 3
  for i = 0, math.min(#queues, most) - 1 do
    local queue = queues[(round * most + i) % #queues + 1]
    keys[#keys + 1] = shard.root .. 'blocked:' .. queue
    keys[#keys + 1] = shard.root .. 'ready:' .. queue
  end
  return keys
end

-- A part of a sorted set with scores, another in each round, and whether there are others. An error where it is none.
local function part_of(key, round)
  local first = redis.pcall('ZRANGE', key, '0', digits(LOOK_AT), 'WITHSCORES')
  if first.err or #first <= 2 * LOOK_AT then return first, false end
  local part = round % math.ceil(redis.call('ZCARD', key) / LOOK_AT)
  return redis.call('ZRANGE', key, digits(part * LOOK_AT), digits((part + 1) * LOOK_AT - 1), 'WITHSCORES'), true
end

-- Adds the lanes of an index whose turns are in the future: the last of each priority.
local function add_ahead(shard, index, members)
  local below = '+inf'
  for _ = 1, 10 do
    local last = redis.call('ZRANGE', index, below, '0', 'BYSCORE', 'REV', 'LIMIT', '0', '1', 'WITHSCORES')
    if #last == 0 then return end
    local priority = math.floor(tonumber(last[2]) / TURN)
    local from, to = priority * TURN + (shard.now + TURN_AHEAD_MS) * TICKS, (priority + 1) * TURN
    if tonumber(last[2]) >= from then
      local range = { index, digits(from), '(' .. digits(to), 'BYSCORE', 'LIMIT', '0', digits(AHEAD_AT), 'WITHSCORES' }
      local ahead = redis.call('ZRANGE', unpack(range))
      for i = 1, #ahead do members[#members + 1] = ahead[i] end
    end
    below = '(' .. digits(priority * TURN)
  end
end

-- Looks at a key that is there; what goes wrong with it stops no other.
local function look_at(shard, name, look, ...)
  if not pcall(look, shard, ...) then found(shard, 'not-inspected', name) end
end

-- Each of these returns whether its key is there. Into one index, or the blocked lanes of one queue:
local function look_into(shard, name, round)
  local kind, rest = kind_of(name)
  local members, more = part_of(shard.root .. name, round)
  if members.err then return found(shard, 'wrong-type', name) end
  if more and kind == 'ready' then look_at(shard, name, add_ahead, shard.root .. name, members) end
  look_at(shard, name, inspect[kind], rest, members)
  return #members > 0
end

-- At what operators set:
local function look_at_config(shard, round)
  local count = redis.pcall('HLEN', shard.root .. 'config')
  if type(count) == 'table' then return found(shard, 'wrong-type', 'config') end
  if count > 0 then look_at(shard, 'config', inspect.config, nil, round % math.ceil(count / LOOK_AT) * LOOK_AT) end
  return count > 0
end

-- At the counts of slots. Where there are many timers who has slots is looked for in one sweep of ten.
local function look_at_counts(shard, round)
  local counts = redis.pcall('HGETALL', shard.root .. 'inflight')
  if counts.err then return found(shard, 'wrong-type', 'inflight') end
  if #counts > 0 then look_at(shard, 'inflight', check_counts, counts, round % 10 == 0 and PAGES or 1) end
  return #counts > 0
end

-- `left` of these keys, the pool's index, the counts, what operators set and one more are there. Returns whether the index is, and
-- whether that one may be.
local function look_by_name(shard, index, keys, left, round)
  if left == 0 then return false, false end
  local ready = look_into(shard, index, round)
  left = left - (ready and 1 or 0)
  if left > 0 and look_at_config(shard, round) then left = left - 1 end
  if left > 0 and look_at_counts(shard, round) then left = left - 1 end
  local there = {}
  find_there(keys, 1, #keys, left, there)
  for i = 0, math.min(#there, NAMED) - 1 do
    if look_into(shard, string.sub(there[(round * NAMED + i) % #there + 1], #shard.root + 1), round) then left = left - 1 end
  end
  return ready, left > 0
end
