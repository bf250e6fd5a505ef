-- breaker: a destination that fails again and again is left alone for a while, and then tried with one message at a time.
--
-- The policy's word is h=<failures>/<ms> for the queue as a whole, gh= for each group: so many failures in a row open it for so
-- long, twice as long each time that a try fails, up to 32 times. The hash `breakers` has '<failures in a row> <openings>
-- <open until, epoch ms; 0: closed>' of those that failed last; nothing of the others.

--- @include clock entry limits

local breaker = {} -- one name for all: a script has few locals left

function breaker.name_of(shard, lane)
  local policy = policy_of(shard, queue_of(lane))
  if not policy or not policy.trips then return nil end
  return policy.trips_group and group_of(lane) or queue_of(lane), policy
end

-- Reads the states that are not known yet.
function breaker.load(shard, names)
  local unknown = {}
  for _, name in ipairs(names) do
    if not shard.breakers[name] then
      shard.breakers[name] = { failures = 0, openings = 0, until_ms = 0 }
      unknown[#unknown + 1] = name
    end
  end
  for from = 1, #unknown, CHUNK do
    local to = math.min(from + CHUNK - 1, #unknown)
    local stored = redis.pcall('HMGET', shard.root .. 'breakers', unpack(unknown, from, to))
    for i = from, stored.err and 0 or to do
      local failures, openings, until_ms = string.match(stored[i - from + 1] or '', '^(%d+) (%d+) (%d+)$')
      if failures then
        local state = shard.breakers[unknown[i]]
        state.failures, state.openings, state.until_ms = tonumber(failures), tonumber(openings), tonumber(until_ms)
      end
    end
  end
end

-- What room a breaker leaves: all, one at a time, or none until an instant.
function breaker.room(shard, lane)
  local name = breaker.name_of(shard, lane)
  local state = name and shard.breakers[name]
  if not state or state.until_ms == 0 then return math.huge end
  if state.until_ms > shard.now then return 0, name, state.until_ms end
  return 1 - count_of(shard, name), name
end

-- How many entries of a lane may be taken; where none, the name that has to wait, and until when if that is known.
function breaker.room_for(shard, lane)
  local healthy, name, until_ms = breaker.room(shard, lane)
  if healthy <= 0 then return 0, name, until_ms end
  local room, waits_for, ends = limits_room(shard, lane)
  return math.min(healthy, room), waits_for, ends
end

-- Lanes that wait for it, whatever they were blocked for, come back when it is tried again.
function breaker.open(shard, state, policy, pool, name)
  state.until_ms = math.floor(shard.now + policy.open_ms * 2 ^ math.min(5, state.openings))
  state.openings = state.openings + 1
  shard.opened[name] = true
  shard.windows[#shard.windows + 1] = digits(state.until_ms)
  shard.windows[#shard.windows + 1] = 'q ' .. pool .. ' ' .. name
end

-- Records how one delivery went for its destination: '+' or '-'. Those that change are added to `shard.transitions`.
function breaker.record(shard, slot, health)
  local name, policy = breaker.name_of(shard, slot.lane)
  if not name then return end
  breaker.load(shard, { name })
  local state = shard.breakers[name]
  local was = state.until_ms
  state.is_recorded = state.is_recorded or state.failures > 0 or health == '-'
  if health == '+' then
    state.failures, state.openings, state.until_ms = 0, 0, 0
  else
    state.failures = state.failures + 1
    local fails_again = was > 0 and was <= shard.now
    if fails_again or (was == 0 and state.failures >= policy.trips) then breaker.open(shard, state, policy, slot.pool, name) end
  end
  if state.until_ms ~= was then
    shard.transitions[#shard.transitions + 1] = name
    shard.transitions[#shard.transitions + 1] = digits(state.until_ms)
  end
end

-- Writes what was recorded.
function breaker.commit(shard)
  for name, state in pairs(shard.breakers) do
    if state.is_recorded and state.failures == 0 then redis.pcall('HDEL', shard.root .. 'breakers', name) end
    if state.is_recorded and state.failures > 0 then
      local stored = digits(state.failures) .. ' ' .. digits(state.openings) .. ' ' .. digits(state.until_ms)
      redis.pcall('HSET', shard.root .. 'breakers', name, stored)
    end
    state.is_recorded = false
  end
end
