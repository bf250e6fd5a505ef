-- find: where a message is, without looking at more than a bounded part of its lane.

--- @include clock entry lane parts lease overflow letters

-- From each end of the lane this many entries are looked at.
local LOOK = 10000

-- What the entry of a message may be called: dead with the attempt of its last failure, or waiting with the next, or
-- redriven with the first. Where the failures were lost, the first or the last attempt.
local function entries_of(lines, id, header)
  local last = tonumber(string.match(lines or '', '(%d+) %d+ %S+ [^\n]*$') or '')
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
  return members
end

-- Fills in where one of some such members waits. Returns whether one does, and whether timers have a wrong type.
local function find_waiting(shard, members, place, slot)
  local at, score, key, wrong = overflow.find(shard, members)
  if not at then return false, wrong end
  place.state, place.at, place.member, place.key = 'delayed', score, members[at], key
  place.slot, place.entry = at % 2 == 0 and slot or nil, string.match(members[at], '%S+$')
  return true, false
end

-- Where entries of a lane are looked for: { list =, rank = (of the end from which, as LPOS and LREM take it), most = (entries) }. Of a
-- lane with parts as many from each end, list by list.
local function ends_of(root, lane)
  local ends, runs = {}, long.runs_of(root, lane)
  for _, rank in ipairs({ '1', '-1' }) do
    local left = LOOK
    for i = 1, #runs do
      local run = rank == '-1' and runs[i] or runs[#runs + 1 - i]
      local most = math.min(left, run.count)
      if most > 0 then ends[#ends + 1] = { list = run.list, rank = rank, most = most + (rank == '-1' and run.from or 0) } end
      left = left - most
    end
  end
  return ends
end

-- Entry to the end that it is near; nil where a key has a wrong type.
local function read_ends(root, ends)
  local near = {}
  for _, part in ipairs(ends) do
    local from, to = 0, part.most - 1
    if part.rank == '-1' then
      from, to = -part.most, -1
    end
    local entries = redis.pcall('LRANGE', root .. part.list, digits(from), digits(to))
    if entries.err then return nil end
    for _, entry in ipairs(entries) do near[entry] = part end
  end
  return near
end

-- The end of a list near which an entry stands; nil where near none. And whether the key has a wrong type.
local function end_of(root, seen, entry)
  if seen.times > ONE_BY_ONE then seen.near = seen.near or read_ends(root, seen.ends) end
  if seen.near then return seen.near[entry], false end
  for _, part in ipairs(seen.ends) do
    local found = redis.pcall('LPOS', root .. part.list, entry, 'RANK', part.rank, 'MAXLEN', digits(part.most))
    if type(found) == 'table' then return nil, true end
    if found then return part, false end
  end
  return nil, false
end

local function stands_in(place, part)
  if not part then return false end
  place.state, place.from, place.list = 'ready', part.rank, part.list
  return true
end

-- Attempts looked for at once where the texts of failures say nothing, and in all: a message has no more.
local TRIES, MOST_TRIES = 20, 1000

-- A message whose failures could not be recorded, or whose letter its queue could not keep: by some of the attempts that it may have had.
local function find_tried(shard, id, place, seen, first)
  local root, header, waiting, members, entries = shard.root, place.header, {}, {}, {}
  local slot = { pool = header.pool, lane = header.lane, mode = 'w' }
  local redriven = '1r.' .. id
  for attempt_no = first, math.min(header.attempts, first + TRIES - 1) do
    local entry = attempt_no == 0 and redriven or digits(attempt_no) .. '.' .. id
    entries[entry] = true
    members[#members + 1], members[#members + 2] = entry, with_slot(entry, slot)
    for _, member in ipairs(waiting_of(header, entry)) do waiting[#waiting + 1] = member end
  end
  if find_waiting(shard, waiting, place, slot) then return true end
  local has_slot
  for _, key in ipairs(seen.all_letters or { root .. 'dead:' .. queue_of(header.lane), root .. 'dead:-' }) do
    place.at, place.member, has_slot = score_of(key, unpack(members))
    if place.at then
      place.state, place.slot, place.entry = 'dead', has_slot and slot or nil, string.match(place.member, '^%S+')
      place.key = key
      return true
    end
  end
  -- What was given back stands at the head.
  if not seen.head then
    seen.head = read_ends(root, { { list = 'lane:' .. header.lane, rank = '-1', most = shard.deep and LOOK or 1000 } }) or {}
  end
  for entry in pairs(entries) do
    place.entry = entry
    if stands_in(place, seen.head[entry]) then return true end
  end
  return false
end

local function find_any(shard, id, place, seen)
  for first = 0, math.min(place.header.attempts, MOST_TRIES), TRIES do
    if find_tried(shard, id, place, seen, first) then return true end
  end
  place.entry = '1r.' .. id
  return stands_in(place, (end_of(shard.root, seen, place.entry))) -- a redrive puts it behind the others
end

-- Where one entry of a message is: in timers, among the dead letters, or in its lane. Returns whether it was found, with the place
-- filled in, and whether a key has a wrong type.
local function find_entry(shard, entry, place, seen)
  local header, has_slot = place.header, false
  local part
  local slot = { pool = header.pool, lane = header.lane, mode = 'w' }
  place.entry = entry
  local waits, wrong = find_waiting(shard, waiting_of(header, entry), place, slot)
  if waits or wrong then return waits, wrong end
  for _, key in ipairs(seen.letters or { shard.root .. 'dead:' .. queue_of(header.lane) }) do
    place.at, place.member, has_slot, wrong = score_of(key, entry, with_slot(entry, slot))
    if place.at then
      place.state, place.slot, place.key = 'dead', has_slot and slot or nil, key
      return true, false
    end
    if wrong then return false, true end
  end
  part, wrong = end_of(shard.root, seen, entry)
  return stands_in(place, part), wrong
end

-- What was seen of a lane by those who ask for many of its messages. That it has parts is not asked before it has to be.
local function seen_of(root, looked, lane)
  local seen = looked and looked[lane]
  seen = seen or { times = 0, ends = { { list = 'lane:' .. lane, rank = '1', most = LOOK }, { list = 'lane:' .. lane, rank = '-1', most = LOOK } } }
  seen.times = seen.times + 1
  if looked then looked[lane] = seen end
  return seen
end

-- It is in none of the lists that were looked at: whether its lane has parts, or the dead letters have, which are looked at then.
local function has_parts(root, lane, seen)
  if seen.length then return false end
  seen.length = redis.call('LLEN', root .. 'lane:' .. lane)
  local queue = queue_of(lane)
  local numbers = redis.pcall('HMGET', root .. 'parts', 'lane:' .. lane, 'dead:' .. queue, 'dead:-')
  if not (numbers[1] or numbers[2] or numbers[3]) then return false end
  seen.letters = letters.keys(root, queue, numbers[2])
  seen.all_letters = letters.keys(root, '-', numbers[3], { unpack(seen.letters) })
  if not numbers[1] then return true end
  seen.length, seen.ends, seen.near = 0, ends_of(root, lane), nil
  for _, run in ipairs(long.runs_of(root, lane)) do seen.length = seen.length + run.count end
  return true
end

-- Returns { state =, entry =, header =, envelope =, failures = (the lines), at = (due, or dead since), member = (there), key = (where it
-- waits or is dead), slot = (that it has there), list =, from = (where it is ready: the list, and from which end, for LREM) }. The state
-- is ready, delayed, dead, leased, cancelled (and leased), gone, or unseen where the lane is too long to tell ready from leased;
-- damaged where a key has a wrong type. Never raises: entries may be on their way between two lists.
-- Whoever asks for many, before any of them moves, keeps in `looked` what is seen of lanes, and gets of envelopes the header. What is
-- wanted from `anywhere` is found whatever attempt it has.
local function locate(shard, id, looked, anywhere)
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
  local seen, lines = seen_of(root, looked, header.lane), text_of(root .. 'failures:' .. id)
  place.failures = lines
  repeat
    for _, entry in ipairs(entries_of(lines, id, header)) do
      local is_found, wrong = find_entry(shard, entry, place, seen)
      if wrong then return { state = 'damaged' } end
      if is_found then return place end
    end
    if (anywhere or not looked) and find_any(shard, id, place, seen) then return place end
  until not has_parts(root, header.lane, seen)
  place.state = seen.length <= 2 * LOOK and 'leased' or 'unseen'
  return place
end
