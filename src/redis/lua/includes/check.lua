-- check: keys of the shard against the invariants. What is found wrong is repaired where asked: what moves stands in its new
-- place before it leaves the old one.
--
-- `shard` has { repair =, deep =, pools = (queue of this deployment → its pool), findings =, strangers =, incomplete = } besides.

--- @include clock entry lane parts lease foreign there since definitions limits letters dead

-- Of a lane, and of one step through a sorted set, so much is looked at.
local LOOK_AT = 100
-- Lanes whose turns lie in the future are brought back so many at once, of each priority.
local AHEAD_AT = 1000
-- A turn later than now by this much was given by a clock that has been put back since.
local TURN_AHEAD_MS = 60000

-- A dedup key without an end gets this one.
local DEDUP_MS = 86400000

-- A function for each kind of key. It gets the rest of the key's name, and of a sorted set a part of its members with their
-- scores: it answers whether it has changed the set. That of lanes goes step by step: it gets how many entries from the head it
-- has passed, and returns where to go on.
local inspect = {}

local function with_findings(shard, repair, queues)
  shard.repair, shard.findings, shard.strangers, shard.incomplete, shard.pools = repair, {}, {}, {}, {}
  for queue, pool in string.gmatch(queues, '\n(%S+) (%S+)') do shard.pools[queue] = pool end
end

-- The pool of a queue of this deployment; nil where it has no such queue.
local function own_pool(shard, queue)
  return shard.pools[queue] or (shard.digest and definitions.pool_of(shard, queue))
end

local function found(shard, finding, name)
  shard.findings[#shard.findings + 1] = finding
  shard.findings[#shard.findings + 1] = name
  return shard.repair
end

-- Something of a queue was met. One that this deployment does not have is remembered, or operators would never see it.
local function met(shard, queue, pool)
  if queue and queue ~= NO_QUEUE and not own_pool(shard, queue) then shard.strangers[queue] = shard.strangers[queue] or pool end
end

-- Which of the lanes in a part of an index have entries.
local function lanes_there(shard, members)
  local lanes, keys, there = {}, {}, {}
  for i = 1, #members, 2 do
    if members[i] ~= RESTRICTED then lanes[#lanes + 1], keys[#keys + 1] = members[i], shard.root .. 'lane:' .. members[i] end
  end
  local all = count_there(keys) == #keys
  for i, lane in ipairs(lanes) do there[lane] = all or redis.call('EXISTS', keys[i]) == 1 end
  return there
end

-- What is no entry leaves its lane, or its set of dead letters, for a list under `damaged:` that only people read. Returns how
-- many left.
local function set_aside(shard, name, texts)
  if #texts == 0 or not found(shard, 'foreign-entry', name) then return 0 end
  redis.call('RPUSH', shard.root .. 'damaged:' .. name, unpack(texts))
  for _, text in ipairs(texts) do
    if string.sub(name, 1, 5) ~= 'dead:' then
      redis.call('LREM', shard.root .. name, '1', text)
    else
      redis.call('ZREM', shard.root .. name, text)
    end
  end
  return #texts
end

-- Entries of a list of a lane whose envelopes are gone become dead letters that say so. Returns how many left.
local function bury_missing(shard, lane, list, entries)
  local buried, failures, queue, left = {}, {}, queue_of(lane), 0
  for i, entry in ipairs(entries) do
    found(shard, 'entry-without-envelope', entry)
    buried[i] = { queue = queue, entry = entry }
    failures[i] = failure(entry, shard.now, 'missing', 'its envelope is gone')
  end
  if #entries == 0 or not shard.repair then return 0 end
  if attempt(bury, shard, buried) then return 0 end
  record_failures(shard, failures)
  for _, entry in ipairs(entries) do left = left + redis.call('LREM', shard.root .. list, '-1', entry) end
  count_buried(shard, buried)
  return left
end

-- Takes out of some of a list of a lane what can never be delivered. Returns the entries whose envelopes are there, and how many left.
local function clear_lane(shard, lane, list, texts)
  local foreign, entries, keys, present, missing = {}, {}, {}, {}, {}
  for _, text in ipairs(texts) do
    if is_entry(text) then
      entries[#entries + 1], keys[#keys + 1] = text, shard.root .. 'm:' .. id_of(text)
    elseif text ~= MARK or long.numbers_of(shard.root, list) == '' then
      foreign[#foreign + 1] = text
    end
  end
  local all = count_there(keys) == #keys
  for i, entry in ipairs(entries) do
    local group = (all or redis.call('EXISTS', keys[i]) == 1) and present or missing
    group[#group + 1] = entry
  end
  return present, set_aside(shard, list, foreign) + bury_missing(shard, lane, list, missing)
end

-- Envelopes looked at for the pool of a lane: only a damaged one says nothing.
local HEADERS = 10

-- The pool in whose index a lane belongs: as the deployment has its queue, else by the entry nearest its head whose envelope says
-- so; nil where none does.
local function pool_by(shard, lane, present)
  local own = own_pool(shard, queue_of(lane))
  if own then return own end
  for i = #present, math.max(1, #present - HEADERS + 1), -1 do
    local header = header_of(start_of_envelope(shard.root, id_of(present[i])))
    if header then return header.pool end
  end
end

-- The same of a lane in an index, none of whose entries has been read.
local function pool_of_lane(shard, lane)
  local texts, present = long.read_on(shard.root, long.new_walk(lane), HEADERS), {}
  for i = #texts, 1, -1 do
    if is_entry(texts[i]) then present[#present + 1] = texts[i] end
  end
  return pool_by(shard, lane, present) or '*'
end

local function is_indexed(shard, lane, pool)
  local queue = queue_of(lane)
  return redis.call('ZSCORE', shard.root .. 'ready:' .. pool, lane)
    or redis.call('ZSCORE', shard.root .. 'blocked:' .. queue, lane)
    or redis.call('ZSCORE', shard.root .. 'ready:' .. (pool == '*' and queue or '*'), lane) -- from where it is moved
end

local function index_lane(shard, lane, pool)
  if is_indexed(shard, lane, pool) or not found(shard, 'unindexed-lane', lane) then return end
  redis.call('ZADD', shard.root .. 'ready:' .. pool, turn(lane, shard.now), lane)
end

-- Clears a step of a list of a lane. What can never be delivered goes before the lane's pool is looked for: entries that were evicted
-- with their envelopes may be all that stands at its head. Returns the pool, if it says so, and where to go on.
local function inspect_list(shard, lane, list, from)
  local passed = tonumber(from)
  local texts = redis.call('LRANGE', shard.root .. list, digits(-passed - LOOK_AT), digits(-passed - 1))
  local present, left = clear_lane(shard, lane, list, texts)
  local pool = pool_by(shard, lane, present) or long.has_mark(texts) and pool_of_lane(shard, lane) or nil
  met(shard, queue_of(lane), pool or '*')
  if #texts < LOOK_AT or (pool and not shard.deep) then return pool, nil end
  return pool, digits(passed + #texts - left)
end

function inspect.lane(shard, lane, from)
  local pool, next_from = inspect_list(shard, lane, 'lane:' .. lane, from)
  if pool and redis.call('EXISTS', shard.root .. 'lane:' .. lane) == 1 then index_lane(shard, lane, pool) end
  return next_from
end

-- The numbers of parts with one more, the oldest first.
local function with_number(listed, number)
  local numbers = { number }
  for each in string.gmatch(listed, '%d+') do numbers[#numbers + 1] = each end
  table.sort(numbers, function(a, b) return tonumber(a) < tonumber(b) end)
  return table.concat(numbers, ' ')
end

-- A lane whose mark is lost gets it again: nobody would come to its parts.
local function mark_lane(shard, list, lane)
  if redis.call('LPOS', shard.root .. list, MARK, 'RANK', '-1') then return end
  redis.call('RPUSH', shard.root .. list, MARK)
  undo_by(function() redis.pcall('RPOP', shard.root .. list) end)
  if string.sub(list, 1, 5) == 'lane:' then index_lane(shard, lane, pool_of_lane(shard, lane)) end
end

local function is_listed(shard, number, lane)
  local fields = redis.call('HGETALL', shard.root .. 'parts')
  for i = 1, #fields, 2 do
    local is_of = string.match(fields[i], '%d:[^:]+$') == lane
    if is_of and string.find(' ' .. fields[i + 1] .. ' ', ' ' .. number .. ' ', 1, true) then return true end
  end
  return false
end

-- A part that no list has is listed with those of its lane again, in the order of their age. The mark comes first: a part that is listed is not
-- looked for any more.
local function lead_to(shard, lane, number)
  local list = 'lane:' .. lane
  mark_lane(shard, list, lane)
  redis.call('HSET', shard.root .. 'parts', list, with_number(long.numbers_of(shard.root, list), number))
end

-- A part of a lane.
function inspect.part(shard, name, from)
  local number, lane = string.match(name, '^(%d+):(%d:.+)$')
  if not lane then return found(shard, 'wrong-type', 'part:' .. name) and nil end
  local _, next_from = inspect_list(shard, lane, 'part:' .. name, from)
  if from == '0' and not is_listed(shard, number, lane) and found(shard, 'part-without-lane', name) then
    local refused = attempt(lead_to, shard, lane, number)
    if refused then error(refused, 0) end
  end
  return next_from
end

-- Dead letters have parts no longer where none of them is there.
local function check_letters(shard, queue)
  local parts = letters.parts(shard.root, { queue })
  if count_there(parts) == 0 and found(shard, 'part-without-entries', 'dead:' .. queue) then
    redis.call('HDEL', shard.root .. 'parts', 'dead:' .. queue)
  end
end

-- A part of dead letters that nobody would look for.
local function note_letters(shard, queue, number)
  local field = 'dead:' .. queue
  local listed = long.numbers_of(shard.root, field)
  if string.find(' ' .. listed .. ' ', ' ' .. number .. ' ', 1, true) then return end
  if found(shard, 'part-without-lane', field .. ':' .. number) then
    redis.call('HSET', shard.root .. 'parts', field, with_number(listed, number))
  end
end

-- Lists that have parts: one none of whose parts is there has none.
function inspect.parts(shard)
  for _, list in ipairs(redis.call('HKEYS', shard.root .. 'parts')) do
    local lane, queue = string.match(list, '%d:[^:]+$'), string.match(list, '^dead:([^:]+)$')
    if queue then
      check_letters(shard, queue)
    elseif not long.oldest_part(shard.root, list, lane or '') then
      if found(shard, 'part-without-entries', list) then
        redis.call('HDEL', shard.root .. 'parts', list)
        redis.call('LREM', shard.root .. list, '-1', MARK)
      end
    elseif not redis.call('LPOS', shard.root .. list, MARK, 'RANK', '-1') and found(shard, 'part-without-lane', list) then
      mark_lane(shard, list, lane)
    end
  end
end

-- What a lease holds without an envelope is only reported, some of it: it is a dead letter that says so when the lease ends.
local function report_missing(shard, lease)
  local items, missing = entries_in(read_raws(shard.root .. 'lease:' .. lease) or {}), 0
  for from = 1, #items, CHUNK do
    local keys = {}
    for i = from, math.min(from + CHUNK - 1, #items) do keys[#keys + 1] = shard.root .. 'm:' .. id_of(items[i].entry) end
    for i = 1, count_there(keys) < #keys and #keys or 0 do
      if redis.call('EXISTS', keys[i]) == 0 then
        found(shard, 'entry-without-envelope', items[from + i - 1].entry)
        missing = missing + 1
      end
    end
    if missing >= LOOK_AT then return end
  end
end

function inspect.lease(shard, lease)
  if shard.deep then report_missing(shard, lease) end
  if redis.call('ZSCORE', shard.timers, 'l ' .. lease) then return end
  if found(shard, 'lease-without-timer', lease) then redis.call('ZADD', shard.timers, digits(shard.now), 'l ' .. lease) end
end

-- Lanes enter other indexes, all or none: key → pairs of score and lane. Raises where storage refuses, before anything is removed.
local function enter(turns)
  local refused = attempt(function()
    for index, scored in pairs(turns) do put_members(index, scored) end
  end)
  if refused then error(refused, 0) end
end

local function gather_turn(shard, turns, index, lane)
  turns[index] = turns[index] or {}
  turns[index][#turns[index] + 1], turns[index][#turns[index] + 2] = turn(lane, shard.now), lane
end

-- Lanes of an index: the pool whose it is, and some of its members with their scores.
function inspect.ready(shard, pool, members)
  definitions.load(shard, members)
  local index, there = shard.root .. 'ready:' .. pool, lanes_there(shard, members)
  local empty, ahead, moved, turns, seen = {}, {}, {}, {}, {}
  for i = 1, #members, 2 do
    local lane, score, queue = members[i], tonumber(members[i + 1]), queue_of(members[i])
    if lane ~= RESTRICTED and not seen[lane] then
      seen[lane] = true
      met(shard, queue, pool)
      if not there[lane] then
        if found(shard, 'empty-lane', lane) then empty[#empty + 1] = lane end
      elseif (own_pool(shard, queue) or pool) ~= pool then
        if found(shard, 'lane-in-another-pool', lane) then
          gather_turn(shard, turns, shard.root .. 'ready:' .. own_pool(shard, queue), lane)
          moved[#moved + 1] = lane
        end
      elseif score > tonumber(turn(lane, shard.now + TURN_AHEAD_MS)) and found(shard, 'turn-in-the-future', lane) then
        ahead[#ahead + 1], ahead[#ahead + 2] = turn(lane, shard.now), lane
      end
    end
  end
  in_chunks('ZADD', index, ahead)
  enter(turns)
  in_chunks('ZREM', index, moved)
  in_chunks('ZREM', index, empty)
  return #ahead + #moved + #empty > 0
end

-- Of the names that blocked lanes wait for, those for which something will come: a slot that is in use, or the next period. A queue
-- that this deployment defines has no limit but those it knows.
local function awaited(shard, queue, names)
  local waits, members = {}, {}
  load_counts(shard, names)
  for i, name in ipairs(names) do
    members[2 * i - 1], members[2 * i] = 'q * ' .. name, 'q ' .. queue .. ' ' .. name
  end
  local policy = own_pool(shard, queue) and (policy_of(shard, queue) or {})
  for from = 1, #members, CHUNK do
    local to = math.min(from + CHUNK - 1, #members)
    local windows = redis.call('ZMSCORE', shard.timers, unpack(members, from, to))
    for i = from, to do
      local name = names[math.ceil(i / 2)]
      local limited = not policy or (name == queue and (policy.c or policy.r or policy.trips))
        or (name ~= queue and (policy.gc or policy.gr or policy.trips_group))
      waits[name] = waits[name] or (limited and (windows[i - from + 1] or count_of(shard, name) > 0)) or nil
    end
  end
  return waits
end

-- Lanes of a queue that is paused or over a limit, some of them, with their scores.
function inspect.blocked(shard, queue, members)
  local key = shard.root .. 'blocked:' .. queue
  local config, there = redis.call('HGET', shard.root .. 'config', queue), lanes_there(shard, members)
  local paused, empty, free, names, asked = config and string.sub(config, 1, 5) ~= 'open ', {}, {}, {}, {}
  if config then
    shard.overrides[queue], shard.policy[queue] = string.match(config, '^%l+ %S+(.*)$'), nil
  end
  met(shard, queue, config and string.match(config, '^%l+ (%S+)') or '*')
  for i = 1, #members, 2 do
    local lane, grouped = members[i], tonumber(members[i + 1]) >= GROUP
    local name = grouped and group_of(lane) or queue
    if not there[lane] then
      if found(shard, 'empty-lane', lane) then empty[#empty + 1] = lane end
    elseif grouped or not paused then
      free[#free + 1] = { lane = lane, name = name }
      if not asked[name] then names[#names + 1] = name end
      asked[name] = true
    end
  end
  local waits, turns = #names > 0 and awaited(shard, queue, names) or {}, {}
  for _, blocked in ipairs(free) do
    if not waits[blocked.name] and found(shard, 'blocked-lane', blocked.lane) then
      gather_turn(shard, turns, shard.root .. 'ready:' .. pool_of_lane(shard, blocked.lane), blocked.lane)
      empty[#empty + 1] = blocked.lane
    end
  end
  enter(turns)
  in_chunks('ZREM', key, empty)
  return #empty > 0
end

-- The marks that make syncs look at the configuration: some of what operators set, and where the next are.
function inspect.config(shard, _, from)
  local settings, marked, first = redis.call('HGETALL', shard.root .. 'config'), {}, tonumber(from)
  local last = math.min(first + LOOK_AT, #settings / 2)
  for i = 2 * first + 1, 2 * last, 2 do
    local pool = string.match(settings[i + 1], '^%l+ (%S+)') or '*'
    local index = shard.root .. 'ready:' .. pool
    met(shard, settings[i], pool)
    if not marked[pool] and not redis.call('ZSCORE', index, RESTRICTED) and found(shard, 'pause-without-mark', settings[i]) then
      redis.call('ZADD', index, '-1', RESTRICTED)
    end
    marked[pool] = true
  end
  return last < #settings / 2 and digits(last) or nil
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

-- A record of overflow that no marker would bring back, or one that is much too late.
local function check_marker(shard, n)
  local first = redis.call('ZRANGE', shard.timers .. ':' .. n, '0', '0', 'WITHSCORES')
  local marked = redis.call('ZSCORE', shard.timers, '+ ' .. n)
  local late = first[2] and (not marked or tonumber(marked) > math.max(tonumber(first[2]), shard.now) + PUT_OFF_MS)
  if late and found(shard, 'overflow-without-marker', 'timers:' .. n) then redis.call('ZADD', shard.timers, first[2], '+ ' .. n) end
end

-- A lease's expiry whose lease is gone; what overflow holds needs a marker.
function inspect.timers(shard, overflow, members)
  definitions.load(shard, members)
  if overflow and string.find(overflow, '^%d+$') then check_marker(shard, overflow) end
  local keys, leases, gone = {}, {}, {}
  for i = 1, #members, 2 do
    local lease, pool, lane = string.match(members[i], '^l (%S+)$'), string.match(members[i], '^[mh] (%S+) (%d:%S+) ')
    if lease then keys[#keys + 1], leases[#leases + 1] = shard.root .. 'lease:' .. lease, lease end
    if lane then met(shard, queue_of(lane), pool) end
  end
  if count_there(keys) == #keys then return end
  for i, key in ipairs(keys) do
    if redis.call('EXISTS', key) == 0 and found(shard, 'timer-without-lease', leases[i]) then gone[#gone + 1] = 'l ' .. leases[i] end
  end
  in_chunks('ZREM', shard.timers, gone)
  return #gone > 0
end

function inspect.dead(shard, rest, members)
  local queue, number = letters.queue(rest), string.match(rest, ':(%d+)$')
  if number then note_letters(shard, queue, number) end
  if queue == NO_QUEUE then return end
  met(shard, queue, '*')
  local foreign, entries, ids, keys = {}, {}, {}, {}
  for i = 1, #members, 2 do
    local entry = read_item(members[i]).entry
    if entry and is_entry(entry) then
      entries[#entries + 1], ids[#ids + 1], keys[#keys + 1] = entry, id_of(entry), shard.root .. 'm:' .. id_of(entry)
    else
      foreign[#foreign + 1] = members[i]
    end
  end
  local changed = set_aside(shard, 'dead:' .. rest, foreign) > 0
  if count_there(keys) == #keys then return changed end
  for i, lines in ipairs(failures_of(shard.root, ids)) do
    local known = string.find(lines or '', ' missing ', 1, true)
    if not known and redis.call('EXISTS', keys[i]) == 0 and found(shard, 'dead-without-envelope', entries[i]) then
      record_failures(shard, { failure(entries[i], shard.now, 'missing', 'its envelope is gone') })
    end
  end
  return changed
end

-- What follows on a message that is gone.
function inspect.callbacks(shard, id)
  if redis.call('EXISTS', shard.root .. 'm:' .. id) == 0 and found(shard, 'callbacks-without-message', id) then
    redis.call('UNLINK', shard.root .. 'callbacks:' .. id)
  end
end

-- What went wrong with a message that is gone. A dead letter may be without its message: then this says so.
function inspect.failures(shard, id)
  local key = shard.root .. 'failures:' .. id
  if redis.call('EXISTS', shard.root .. 'm:' .. id) == 1 or string.find(redis.call('GET', key), ' missing ', 1, true) then return end
  if found(shard, 'failures-without-message', id) then redis.call('UNLINK', key) end
end
