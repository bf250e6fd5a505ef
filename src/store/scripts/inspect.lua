-- inspect: one page of the shard's keys against the invariants. What is found wrong is repaired where asked.

-- Of one lane or index at most this much is looked at.
local LOOK_AT = 100
-- A turn later than now by this much was given by a clock that has been put back since.
local TURN_AHEAD_MS = 60000

-- A dedup key without an end gets this one.
local DEDUP_MS = 86400000

-- A function for each kind of key; `shard` has { repair =, findings =, drained = } besides.
local inspect = {}

local function found(shard, finding, name)
  shard.findings[#shard.findings + 1] = finding
  shard.findings[#shard.findings + 1] = name
  return shard.repair
end

-- Lists name entries whose envelopes are gone: such an entry becomes a dead letter that says so.
local function bury_missing(shard, key, lane, entries)
  local keys = {}
  for i, entry in ipairs(entries) do keys[i] = shard.root .. 'm:' .. id_of(entry) end
  if #keys == 0 or redis.call('EXISTS', unpack(keys)) == #keys then return end
  for i, entry in ipairs(entries) do
    if redis.call('EXISTS', keys[i]) == 0 and found(shard, 'entry-without-envelope', entry) then
      redis.call('LREM', key, '-1', entry)
      bury(shard, { { queue = queue_of(lane), entry = entry } })
      record_failures(shard, { failure(entry, shard.now, 'missing', 'its envelope is gone') })
    end
  end
end

-- The pool of a lane, by the first envelope from its head that can be read.
local function pool_of(shard, entries)
  for i = #entries, math.max(1, #entries - 9), -1 do
    local header = header_of(redis.call('GET', shard.root .. 'm:' .. id_of(entries[i])))
    if header then return header.pool end
  end
end

function inspect.lane(shard, lane)
  local key = shard.root .. 'lane:' .. lane
  local entries = redis.call('LRANGE', key, digits(-LOOK_AT), '-1')
  local pool = pool_of(shard, entries)
  bury_missing(shard, key, lane, entries)
  if redis.call('EXISTS', key) == 0 or not pool then return end
  local index = shard.root .. 'ready:' .. pool
  if redis.call('ZSCORE', index, lane) or redis.call('ZSCORE', shard.root .. 'parked:' .. queue_of(lane), lane) then return end
  if shard.drained[queue_of(lane)] and redis.call('ZSCORE', shard.root .. 'ready:*', lane) then return end
  if found(shard, 'unindexed-lane', lane) then redis.call('ZADD', index, turn(lane, shard.now), lane) end
end

function inspect.lease(shard, lease)
  if redis.call('ZSCORE', shard.timers, 'l ' .. lease) then return end
  if found(shard, 'lease-without-timer', lease) then redis.call('ZADD', shard.timers, digits(shard.now), 'l ' .. lease) end
end

function inspect.ready(shard, pool)
  local index = shard.root .. 'ready:' .. pool
  local lanes = redis.call('ZRANGE', index, '0', digits(LOOK_AT - 1), 'WITHSCORES')
  for i = 1, #lanes, 2 do
    local lane, score = lanes[i], tonumber(lanes[i + 1])
    if lane ~= RESTRICTED then
      if redis.call('EXISTS', shard.root .. 'lane:' .. lane) == 0 then
        if found(shard, 'empty-lane', lane) then redis.call('ZREM', index, lane) end
      elseif pool ~= '*' and shard.drained[queue_of(lane)] then
        if found(shard, 'lane-in-another-pool', lane) then
          redis.call('ZREM', index, lane)
          redis.call('ZADD', shard.root .. 'ready:*', turn(lane, shard.now), lane)
        end
      elseif score > tonumber(turn(lane, shard.now + TURN_AHEAD_MS)) then
        if found(shard, 'turn-in-the-future', lane) then redis.call('ZADD', index, turn(lane, shard.now), lane) end
      end
    end
  end
end

-- Whether a parked lane waits for something that will come: a slot that is in use, or the next period. A queue that this
-- deployment drains has no limit but those it knows.
local function waits(shard, pool, queue, name)
  if shard.policies and shard.drained[queue] then
    local policy = policy_of(shard, queue)
    local of_queue, of_group = policy and (policy.c or policy.r or policy.trips), policy and (policy.gc or policy.gr or policy.trips_group)
    if name == queue and not of_queue or name ~= queue and not of_group then return false end
  end
  local slots = redis.pcall('HGET', shard.root .. 'inflight', name)
  if type(slots) == 'string' and tonumber(slots) > 0 then return true end
  return redis.call('ZSCORE', shard.timers, 'q ' .. pool .. ' ' .. name)
end

function inspect.parked(shard, queue)
  local key = shard.root .. 'parked:' .. queue
  local config = redis.call('HGET', shard.root .. 'config', queue)
  local paused = config and string.sub(config, 1, 5) ~= 'open '
  if config and shard.policies then
    shard.overrides[queue], shard.policy[queue] = string.match(config, '^%l+ %S+(.*)$'), nil
  end
  local lanes = redis.call('ZRANGE', key, '0', digits(LOOK_AT - 1), 'WITHSCORES')
  for i = 1, #lanes, 2 do
    local lane, grouped = lanes[i], tonumber(lanes[i + 1]) >= GROUP
    local pool = pool_of(shard, redis.call('LRANGE', shard.root .. 'lane:' .. lane, '-10', '-1')) or '*'
    if redis.call('EXISTS', shard.root .. 'lane:' .. lane) == 0 then
      if found(shard, 'empty-lane', lane) then redis.call('ZREM', key, lane) end
    elseif not (paused and not grouped) and not waits(shard, pool, queue, grouped and group_of(lane) or queue)
      and found(shard, 'parked-lane', lane) then
      redis.call('ZREM', key, lane)
      redis.call('ZADD', shard.root .. 'ready:' .. pool, turn(lane, shard.now), lane)
    end
  end
end

-- The marks that make exchanges look at the configuration.
function inspect.config(shard)
  local settings = redis.call('HGETALL', shard.root .. 'config')
  for i = 1, #settings, 2 do
    local index = shard.root .. 'ready:' .. (string.match(settings[i + 1], '^%l+ (%S+)') or '*')
    if not redis.call('ZSCORE', index, RESTRICTED) and found(shard, 'pause-without-mark', settings[i]) then
      redis.call('ZADD', index, '-1', RESTRICTED)
    end
  end
end

-- An active schedule that no timer would ever fire.
function inspect.schedules(shard)
  local ids = redis.call('HKEYS', shard.root .. 'schedules')
  for from = 1, #ids, CHUNK do
    local part, missing = { unpack(ids, from, math.min(from + CHUNK - 1, #ids)) }, {}
    local members = {}
    for i, id in ipairs(part) do members[i] = 's ' .. id end
    for i, due in ipairs(redis.call('ZMSCORE', shard.timers, unpack(members))) do
      if not due then missing[#missing + 1] = part[i] end
    end
    for _, id in ipairs(missing) do
      local due = string.match(redis.call('HGET', shard.root .. 'schedules', id), '^(%d+) active ')
      if due and found(shard, 'schedule-without-timer', id) then redis.call('ZADD', shard.timers, due, 's ' .. id) end
    end
  end
end

-- A dedup key that would never end. The name is '<queue>:<digest>'.
function inspect.dedup(shard, name)
  local key = shard.root .. 'dedup:' .. name
  if redis.call('PTTL', key) == -1 and found(shard, 'dedup-without-end', name) then
    redis.call('PEXPIRE', key, digits(DEDUP_MS))
  end
end

-- A lease's expiry whose lease is gone.
function inspect.timers(shard)
  for _, member in ipairs(redis.call('ZRANGE', shard.timers, '0', digits(LOOK_AT - 1))) do
    local lease = string.match(member, '^l (%S+)$')
    if lease and redis.call('EXISTS', shard.root .. 'lease:' .. lease) == 0 and found(shard, 'timer-without-lease', lease) then
      redis.call('ZREM', shard.timers, member)
    end
  end
end

function inspect.dead(shard, queue)
  if queue == NO_QUEUE then return end
  local entries, keys, ids = redis.call('ZRANGE', shard.root .. 'dead:' .. queue, '0', digits(LOOK_AT - 1)), {}, {}
  for i, letter in ipairs(entries) do
    entries[i] = read_item(letter).entry
    ids[i] = id_of(entries[i])
    keys[i] = shard.root .. 'm:' .. ids[i]
  end
  if redis.call('EXISTS', unpack(keys)) == #keys then return end
  for i, lines in ipairs(redis.call('HMGET', shard.failures, unpack(ids))) do
    local known = lines and string.find(lines, ' missing ', 1, true)
    if not known and redis.call('EXISTS', keys[i]) == 0 and found(shard, 'dead-without-envelope', entries[i]) then
      record_failures(shard, { failure(entries[i], shard.now, 'missing', 'its envelope is gone') })
    end
  end
end

-- Leases looked into for the entries they hold, and pages of 1,000 timers looked at for them. With more nothing can be said
-- of an envelope that is nowhere else, nor of who has slots.
local LEASES, PAGES = 200, 20

local function note_slot(slots, slot)
  if not slot then return end
  local queue, group = queue_of(slot.lane), group_of(slot.lane)
  if slot.mode ~= 'w' then slots[queue] = (slots[queue] or 0) + 1 end
  if slot.mode ~= 'q' then slots[group] = (slots[group] or 0) + 1 end
end

-- The ids that leases hold now, and the slots, once for each call; false where there are too many leases.
local function leased_ids(shard)
  if shard.leased ~= nil then return shard.leased, shard.slots end
  local ids, slots, leases, pages = {}, {}, 0, 0
  local cursor = '0'
  repeat
    local page = redis.call('ZSCAN', shard.timers, cursor, 'MATCH', 'l *', 'COUNT', '1000')
    cursor, pages = page[1], pages + 1
    for i = 1, #page[2], 2 do
      leases = leases + 1
      for _, item in ipairs(read_lease(shard.root .. 'lease:' .. string.sub(page[2][i], 3)) or {}) do
        ids[id_of(item.entry)] = true
        note_slot(slots, item.slot)
      end
    end
  until cursor == '0' or leases > LEASES or pages == PAGES
  shard.leased, shard.slots = cursor == '0' and leases <= LEASES and ids, slots
  return shard.leased, shard.slots
end

-- Adds the slots told by members of a sorted set. False where there are too many to look at.
local function scan_slots(slots, key, pattern, slot_in)
  local cursor, pages = '0', 0
  repeat
    local page = redis.call('ZSCAN', key, cursor, 'MATCH', pattern, 'COUNT', '1000')
    cursor, pages = page[1], pages + 1
    for i = 1, #page[2], 2 do note_slot(slots, slot_in(page[2][i])) end
  until cursor == '0' or pages == PAGES
  return cursor == '0'
end

-- The counts of slots against those who have them.
function inspect.inflight(shard)
  local leased, slots = leased_ids(shard)
  local complete = leased and scan_slots(slots, shard.timers, 'h *', function(member)
    local pool, lane = string.match(member, '^h (%S+) (%d:%S+) ')
    return pool and { pool = pool, lane = lane, mode = 'w' }
  end)
  local counts, stored, queues = redis.call('HGETALL', shard.root .. 'inflight'), {}, {}
  for i = 1, #counts, 2 do
    stored[counts[i]] = tonumber(counts[i + 1])
    queues[string.match(counts[i], '^[^/]+')] = true
  end
  for queue in string.gmatch(shard.policies or '', '\n(%S+)') do queues[queue] = true end -- their counts may be lost
  for queue in pairs(queues) do
    complete = complete and scan_slots(slots, shard.root .. 'dead:' .. queue, '* w', function(member) return read_item(member).slot end)
  end
  shard.leased = nil -- the counts of this call are used up
  if not complete then return end
  for name in pairs(slots) do stored[name] = stored[name] or 0 end
  for name, count in pairs(stored) do
    if (slots[name] or 0) ~= count and found(shard, 'count-without-slots', name) then
      if slots[name] then
        redis.call('HSET', shard.root .. 'inflight', name, digits(slots[name]))
      else
        redis.call('HDEL', shard.root .. 'inflight', name)
      end
    end
  end
end

-- What follows on a message that is gone.
inspect['then'] = function(shard, id)
  if redis.call('EXISTS', shard.root .. 'm:' .. id) == 0 and found(shard, 'followers-without-message', id) then
    redis.call('UNLINK', shard.root .. 'then:' .. id)
  end
end

-- A message whose list vanished (evicted, removed by hand): it is delivered again, an attempt after the last it may have had.
inspect['m'] = function(shard, id)
  local leased = leased_ids(shard)
  if not leased or leased[id] then return end
  local place = locate(shard, id)
  if place.state ~= 'leased' or not found(shard, 'envelope-without-entry', id) then return end
  local lines = redis.call('HGET', shard.failures, id)
  local last = tonumber(string.match(lines or '', '(%d+) %d+ %l+ [^\n]*$') or '0')
  local entry = digits(last + 1) .. '.' .. id
  record_failures(shard, { failure(entry, shard.now, 'lapsed', 'its list vanished') })
  if last + 1 >= place.header.attempts then
    local intake, buried, garbage = new_intake(), { { queue = queue_of(place.header.lane), entry = entry } }, {}
    end_dead(shard, intake, garbage, place.header, id)
    if attempt(function() bury(shard, buried) put_in(shard, intake) end) then return end
    in_chunks('UNLINK', nil, garbage)
    count_buried(shard, buried)
    remove_replaced(shard, intake)
  else
    local moves = {}
    gather(moves, place.header.pool, place.header.lane, 'RPUSH', next_entry(entry))
    put_all(shard, moves)
  end
end

-- Inspects a page of keys of the given kinds. A key of a wrong type is reported, and stops nothing. Returns the next cursor.
local function inspect_page(shard, cursor, count, kinds)
  local page = redis.call('SCAN', cursor, 'MATCH', shard.root .. '*', 'COUNT', count)
  for _, key in ipairs(page[2]) do
    local name = string.sub(key, #shard.root + 1)
    local kind, rest = string.match(name, '^(%l+):(.+)$')
    kind = kind or name
    if kinds[kind] then
      local types = { lane = 'list', lease = 'list', ['then'] = 'list', config = 'hash', schedules = 'hash', inflight = 'hash', m = 'string', dedup = 'string' }
      if redis.call('TYPE', key).ok == (types[kind] or 'zset') then
        inspect[kind](shard, rest)
      else
        found(shard, 'wrong-type', name)
      end
    end
  end
  return page[1]
end
