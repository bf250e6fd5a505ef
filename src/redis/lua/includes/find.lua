-- find: where a message is, without looking at more than a bounded part of its lane.

--- @include clock entry lane lease

-- From each end of the lane this many entries are looked at.
local LOOK = 10000

-- What the entry of a message may be called: dead with the attempt of its last failure, or waiting with the next, or
-- redriven with the first. Where the failures were lost, the first or the last attempt.
local function entries_of(lines, id, header)
  local last = tonumber(string.match(lines or '', '(%d+) %d+ [%l_]+ [^\n]*$') or '')
  if last then return { digits(last) .. '.' .. id, digits(last + 1) .. '.' .. id, '1r.' .. id } end
  return { '1.' .. id, header and header.attempts > 1 and digits(header.attempts) .. '.' .. id or nil }
end

-- Of one lane so many entries are looked for one by one; of more, its ends are read once. A request may ask for a thousand, each
-- of which would be looked for in vain in the whole of both ends.
local ONE_BY_ONE = 8

-- Where the first line of an envelope has ended: the longest lane has 1,219 characters.
local HEADER = '1535'

-- The place where one of some members stands in a sorted set: its score, the member, whether it is an even one, and whether the
-- key has a wrong type.
local function score_of(key, ...)
  local scores, members = redis.pcall('ZMSCORE', key, ...), { ... }
  if scores.err then return nil, nil, false, true end
  for i, member in ipairs(members) do
    if scores[i] then return scores[i], member, i % 2 == 0 end
  end
end

-- What a message that waits may be called in timers: in the pool of its envelope, or in the other where its queue became push or
-- pull since; with its slot each second one.
local function waiting_of(header, entry)
  local members = {}
  for _, pool in ipairs({ header.pool, header.pool == '*' and queue_of(header.lane) or '*' }) do
    local member = delayed(pool, header.lane, entry)
    members[#members + 1] = member
    members[#members + 1] = 'h' .. string.sub(member, 2)
  end
  return unpack(members)
end

-- Entry to the end of the lane that it is near, as `end_of` says it; nil where the key has a wrong type.
local function read_ends(lane)
  local ends = {}
  for _, page in ipairs({ { '-1', -LOOK, -1 }, { '1', 0, LOOK - 1 } }) do
    local entries = redis.pcall('LRANGE', lane, digits(page[2]), digits(page[3]))
    if entries.err then return nil end
    for _, entry in ipairs(entries) do ends[entry] = page[1] end
  end
  return ends
end

-- The end of a lane from which an entry is found: '1' or '-1', as LPOS and LREM take it; nil where from none. And whether the
-- key has a wrong type.
local function end_of(lane, entry, ends)
  if ends then return ends[entry], false end
  for _, from in ipairs({ '1', '-1' }) do
    local found = redis.pcall('LPOS', lane, entry, 'RANK', from, 'MAXLEN', digits(LOOK))
    if type(found) == 'table' then return nil, true end
    if found then return from, false end
  end
  return nil, false
end

-- Attempts looked for one by one where the texts of failures say nothing.
local TRIES = 20

-- A message whose failures could not be recorded, or whose letter its queue could not keep: by each attempt that it may have had.
local function find_any(shard, id, place, seen)
  local root, header, waiting, letters, entries = shard.root, place.header, {}, {}, {}
  local slot = { pool = header.pool, lane = header.lane, mode = 'w' }
  local redriven = '1r.' .. id
  for attempt_no = 0, math.min(header.attempts, TRIES) do
    local entry = attempt_no == 0 and redriven or digits(attempt_no) .. '.' .. id
    entries[entry] = true
    letters[#letters + 1], letters[#letters + 2] = entry, with_slot(entry, slot)
    for _, member in ipairs({ waiting_of(header, entry) }) do waiting[#waiting + 1] = member end
  end
  local has_slot
  place.at, place.member, has_slot = score_of(shard.timers, unpack(waiting))
  if place.at then
    place.state, place.slot, place.entry = 'delayed', has_slot and slot or nil, string.match(place.member, '%S+$')
    return true
  end
  for _, queue in ipairs({ queue_of(header.lane), '-' }) do
    place.at, place.member, has_slot = score_of(root .. 'dead:' .. queue, unpack(letters))
    if place.at then
      place.state, place.slot, place.entry = 'dead', has_slot and slot or nil, string.match(place.member, '^%S+')
      place.buried_in = queue
      return true
    end
  end
  -- What was given back stands at the head.
  if not seen.head then
    seen.head = {}
    local head = redis.pcall('LRANGE', root .. 'lane:' .. header.lane, '-1000', '-1')
    for _, entry in ipairs(head) do seen.head[entry] = true end
  end
  for entry in pairs(entries) do
    if seen.head[entry] then
      place.state, place.from, place.entry = 'ready', '-1', entry
      return true
    end
  end
  place.from = end_of(root .. 'lane:' .. header.lane, redriven, seen.ends) -- a redrive puts it behind the others
  if place.from then place.state, place.entry = 'ready', redriven end
  return place.from ~= nil
end

-- Where one entry of a message is: in timers, among the dead letters, or in its lane. Returns whether it was found, with the place
-- filled in, and whether a key has a wrong type.
local function find_entry(shard, entry, place, seen)
  local header, wrong, has_slot = place.header, false, false
  local lane, dead = shard.root .. 'lane:' .. header.lane, shard.root .. 'dead:' .. queue_of(header.lane)
  local slot = { pool = header.pool, lane = header.lane, mode = 'w' }
  place.entry = entry
  place.at, place.member, has_slot, wrong = score_of(shard.timers, waiting_of(header, entry))
  if place.at then
    place.state, place.slot = 'delayed', has_slot and slot or nil
    return true, false
  end
  if wrong then return false, true end
  place.at, place.member, has_slot, wrong = score_of(dead, entry, with_slot(entry, slot))
  if place.at then
    place.state, place.slot = 'dead', has_slot and slot or nil
    return true, false
  end
  if wrong then return false, true end
  place.from, wrong = end_of(lane, entry, seen.ends)
  if place.from then place.state = 'ready' end
  return place.from ~= nil, wrong
end

-- What was seen of a lane by those who ask for many of its messages.
local function seen_of(looked, lane)
  local seen = looked and looked[lane] or { times = 0 }
  seen.times = seen.times + 1
  if looked then looked[lane] = seen end
  if seen.times > ONE_BY_ONE then seen.ends = seen.ends or read_ends(lane) end
  return seen
end

-- Returns { state =, entry =, header =, envelope =, at = (due, or dead since), member = (there), slot = (that it has there),
-- from = (end of the lane, for LREM) }. The state
-- is ready, delayed, dead, leased, cancelled (and leased), gone, or unseen where the lane is too long to tell ready from leased;
-- damaged where a key has a wrong type. Never raises: entries may be on their way between two lists.
-- Whoever asks for many, before any of them moves, keeps in `looked` what is seen of lanes, and gets of envelopes the header.
local function locate(shard, id, looked)
  local root = shard.root
  local key = root .. 'm:' .. id
  local envelope = looked and redis.pcall('GETRANGE', key, '0', HEADER) or redis.pcall('GET', key)
  if type(envelope) == 'table' then return { state = 'damaged' } end
  if envelope == TOMBSTONE then return { state = 'cancelled' } end
  local header = header_of(envelope)
  if not header then return { state = 'gone' } end
  local place = { header = header, envelope = envelope }
  if shard.given and shard.given[id] then
    place.state = 'leased'
    return place
  end
  local lane = root .. 'lane:' .. header.lane
  local seen = seen_of(looked, lane)
  local lines = redis.pcall('HGET', shard.failures, id)
  if type(lines) == 'table' then return { state = 'damaged' } end
  for _, entry in ipairs(entries_of(lines, id, header)) do
    local is_found, wrong = find_entry(shard, entry, place, seen)
    if wrong then return { state = 'damaged' } end
    if is_found then return place end
  end
  if not looked and find_any(shard, id, place, seen) then return place end
  seen.length = seen.length or redis.call('LLEN', lane)
  place.state = seen.length <= 2 * LOOK and 'leased' or 'unseen'
  return place
end
