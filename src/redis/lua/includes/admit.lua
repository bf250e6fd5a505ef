-- admit: messages on their way in: of an enqueue, of a handler whose ack they come with, and callbacks.
--
-- They come in segments of messages alike: lane, pool, most attempts, delay ms, not before (epoch ms), ttl ms (0: none), extras,
-- count, ids, then count × JSON. Ids are that of the only one, or '<base>-', behind which each has its place in the request,
-- from 0. Extras are '-', or '<result ttl ms> <window ms> <mode> <dedup digest>', the digest with '!' behind it where it goes
-- when the message is done, and ' callbacks' at the end where each JSON is followed by its callbacks: how
-- many arguments, and for each of them 'done' or 'dead' and a segment of one with '-' for its id.

--- @include clock entry lane parts find overflow

-- Gathered before anything is written. `soonest` is when the first delayed one is due that is for a push queue (and `shard.soonest` the same
-- of all that the call admits), `ready` whether one is ready, `met` what became of those whose dedup key was taken, `replaced` those of them that were stored before, `looked` what
-- find.lua has seen of lanes.
local function new_intake()
  return {
    moves = {}, timers = {}, envelopes = {}, dedups = {}, callbacks = {}, known = {}, met = {}, replaced = {}, looked = {},
    soonest = math.huge, place = 0, last_at = {}, instants = 0, held = {},
  }
end

-- The id under a dedup key. With the first that is asked for the record of the call is read, for what takes the place of something
-- is not taken back.
local function holder_of(intake, key)
  if not intake.request then return text_of(key) end
  local found = redis.call('MGET', key, intake.request)
  intake.applied, intake.request = found[2], nil
  return found[1] or ''
end

-- One of this pool is due then, and not before.
local function foresee(shard, intake, pool, due)
  if pool ~= '*' then return end
  intake.soonest, shard.soonest = math.min(intake.soonest, due), math.min(shard.soonest or due, due)
end

-- Instants of one call behind whose last message it looks: more would cost a command for each message.
local INSTANTS = 20

-- When a message is due: behind those of the same millisecond that came before it. For a delay the fraction of the present ms
-- says so, for an instant that was named the last one that waits for it.
local function due_at(shard, intake, segment)
  local due = shard.now + segment.delay
  local ms = math.floor(due)
  local last = intake.last_at[ms] or due - STEP
  if segment.named and not intake.last_at[ms] and intake.instants < INSTANTS then
    last = overflow.last_in(shard, ms) or last
    intake.instants = intake.instants + 1
  end
  intake.last_at[ms] = math.min(last + STEP, ms + 1 - STEP)
  return intake.last_at[ms]
end

-- The header line of a message of this segment that is due then, with its line feed.
local function line_of(shard, segment, lane, pool, due)
  local expires = segment.ttl > 0 and digits(due + segment.ttl) or '0'
  return table.concat({ lane, pool, segment.attempts, shard.since, expires }, ' ') .. segment.extras .. '\n'
end

-- A message whose key a new one has: { id =, state = (as locate says), lane =, pool =, line = (with its line feed), score = (of
-- its timer) }. One of this request has `at_envelope`, its place among the envelopes, and `at_timer` where it is delayed. Of one
-- that was stored before it is known where it stands, { entry =, member =, key =, slot =, from =, list =, had_callbacks = },
-- and it has what it becomes: { envelope =, callbacks =, moved = (whether its time is another; it was that of `was`) }.
local function stored_first(shard, intake, id)
  local where = locate(shard, id, intake.looked)
  local header = where.header or {}
  return {
    id = id, state = where.state, lane = header.lane, pool = header.pool, score = where.at, was = where.at, had_callbacks = header.callbacks,
    line = where.envelope and string.match(where.envelope, '^[^\n]*\n'),
    entry = where.entry, member = where.member, key = where.key, slot = where.slot, from = where.from, list = where.list,
  }
end

-- The message that a key belongs to, if that is to go instead of a new one; what is done with the new one; and what is known of
-- the first where that is replaced.
local function first_of(shard, intake, segment)
  local first = intake.known[segment.key]
  local id = first and first.id or holder_of(intake, segment.key)
  intake.held[segment.key] = id ~= '' and id or nil -- whose it was before this call
  if id == '' then return nil, nil, nil end
  if segment.mode == 'drop' then return id, 'duplicate', nil end
  first = first or stored_first(shard, intake, id)
  local waits = first.state == 'delayed' or (first.state == 'ready' and segment.mode == 'replace')
  -- One that keeps the slot of its group while it waits cannot change to another.
  local leaves = first.slot and segment.mode == 'debounce' and string.sub(first.lane, 3) ~= string.sub(segment.lane, 3)
  if waits and not leaves then return id, 'replaced', first end
  return nil, nil, nil -- it is being worked on with what it was: the new one counts
end

-- What follows on a new message; the last of its request to say so counts.
local function set_callbacks(intake, id, args)
  for _, known in ipairs(intake.callbacks) do
    if known.id == id then known.args = args return end
  end
  intake.callbacks[#intake.callbacks + 1] = { id = id, args = args }
end

-- The new one takes the place of the first, which waits, and keeps its id. Where it is to be quiet first, all is as the new one
-- says. Else it keeps its lane, its time and what was said of it; but one that was tried before becomes a new message, with the
-- settings of the new one, and neither attempts nor failures.
local function replace(shard, intake, segment, first, json, callbacks)
  local quiet, tried = segment.mode == 'debounce', not first.envelope and first.entry and has_failed(first.entry)
  if quiet then
    local due = shard.now + segment.delay
    first.lane, first.pool, first.score, first.moved = segment.lane, segment.pool, instant(due), true
    intake.dedups[#intake.dedups + 1] = { segment.key, first.id, segment.window, first.id }
    foresee(shard, intake, segment.pool, due)
  end
  if quiet or tried then
    first.line = line_of(shard, segment, first.lane, first.pool, tonumber(first.score) or shard.now)
    first.callbacks = callbacks or {}
  end
  if first.at_envelope then
    intake.envelopes[first.at_envelope] = first.line .. json
    if quiet then set_callbacks(intake, first.id, first.callbacks) end
  else
    if not first.envelope then intake.replaced[#intake.replaced + 1] = first end
    first.envelope = first.line .. json
    intake.known[segment.key] = first
  end
  if first.at_timer then
    intake.timers[first.at_timer] = first.score
    intake.timers[first.at_timer + 1] = delayed(first.pool, first.lane, '1.' .. first.id)
  end
end

local function admit_one(shard, intake, segment, json, callbacks)
  local first, what, known
  local id = segment.numbered and segment.ids .. digits(intake.place) or segment.ids
  intake.place = intake.place + 1
  if segment.key then first, what, known = first_of(shard, intake, segment) end
  if first then
    intake.met[#intake.met + 1] = digits(intake.place) .. '=' .. first .. '=' .. what
    if known then replace(shard, intake, segment, known, json, callbacks) end
    return
  end
  local ready = segment.delay == 0
  local score = not ready and instant(due_at(shard, intake, segment)) or nil
  intake.envelopes[#intake.envelopes + 1] = shard.root .. 'm:' .. id
  intake.envelopes[#intake.envelopes + 1] = segment.line .. json
  if segment.key then
    intake.known[segment.key] = {
      id = id, state = ready and 'ready' or 'delayed', lane = segment.lane, pool = segment.pool, line = segment.line, score = score,
      at_envelope = #intake.envelopes, at_timer = not ready and #intake.timers + 1,
    }
    intake.dedups[#intake.dedups + 1] = { segment.key, id, segment.window, intake.held[segment.key] }
  end
  if callbacks then intake.callbacks[#intake.callbacks + 1] = { id = id, args = callbacks } end
  if ready then
    gather(intake.moves, segment.pool, segment.lane, 'LPUSH', '1.' .. id)
    intake.ready = intake.ready or segment.pool == '*'
  else
    intake.timers[#intake.timers + 1] = score
    intake.timers[#intake.timers + 1] = delayed(segment.pool, segment.lane, '1.' .. id)
    foresee(shard, intake, segment.pool, shard.now + segment.delay)
  end
end

-- What was stored before becomes what it is replaced by. What it was stays until remove_replaced: its timer under another name, or
-- in overflow, and what followed on it, which stands in front.
local function put_replaced(shard, intake)
  local members, again, as_before, envelopes = {}, {}, {}, {}
  for _, first in ipairs(intake.replaced) do
    if first.state == 'delayed' then
      first.waits = delayed(first.pool, first.lane, '1.' .. first.id)
      if first.slot then first.waits = 'h' .. string.sub(first.waits, 2) end
      local stands = first.waits == first.member and first.key == shard.timers
      local timers = stands and again or members
      first.leaves = first.waits ~= first.member or (first.moved and not stands)
      if first.leaves or first.moved then
        timers[#timers + 1] = first.score
        timers[#timers + 1] = first.waits
      end
      if stands and first.moved then
        as_before[#as_before + 1] = first.was
        as_before[#as_before + 1] = first.waits
      end
    end
    envelopes[#envelopes + 1] = shard.root .. 'm:' .. first.id
    envelopes[#envelopes + 1] = first.envelope
    local key = shard.root .. 'callbacks:' .. first.id
    local length = first.callbacks and in_chunks('RPUSH', key, first.callbacks)
    if length then
      first.before = length - #first.callbacks
      undo_by(function() redis.pcall('LTRIM', key, '0', digits(-#first.callbacks - 1)) end)
    end
  end
  overflow.put(shard, members)
  intake.over, intake.again, intake.as_before = envelopes, again, as_before
end

-- The puts that take the place of something, which no delete takes back: behind the record of their call, which is. Where
-- storage refuses from some write on, it refuses what would undo the ones before it too. So the envelopes come last: a key that
-- was given away, or a time that was put off, loses nothing, and half of what a message was would.
local function put_over(shard, intake)
  undo_by(function() try_in_chunks('ZADD', shard.timers, intake.as_before) end)
  for _, dedup in ipairs(intake.dedups) do
    if dedup[4] == dedup[2] then redis.call('PEXPIRE', dedup[1], dedup[3]) end
    if dedup[4] and dedup[4] ~= dedup[2] then
      redis.call('SET', dedup[1], dedup[2], 'PX', dedup[3])
      undo_by(function() redis.pcall('SET', dedup[1], dedup[4], 'KEEPTTL') end)
    end
  end
  in_chunks('ZADD', shard.timers, intake.again)
  local before = {}
  for i = 1, #intake.over, 2 do before[i], before[i + 1] = intake.over[i], redis.call('GET', intake.over[i]) end
  undo_by(function()
    for i = 1, #before, 2 do
      if before[i + 1] then redis.pcall('SET', before[i], before[i + 1]) end
    end
  end)
  in_chunks('MSET', nil, intake.over)
end

-- In a lane the entry of one that was tried is a new message's from now on, in the same place.
local function rename(shard, first)
  local lane = shard.root .. first.list
  local place = redis.pcall('LPOS', lane, first.entry, 'RANK', first.from, 'MAXLEN', digits(LOOK))
  if type(place) == 'number' then redis.pcall('LSET', lane, digits(place), '1.' .. first.id) end
end

-- Behind all puts: what they were goes, and lanes that have become too long are divided.
local function remove_replaced(shard, intake)
  local members, keys = {}, {}
  for _, first in ipairs(intake.replaced) do
    local list = shard.root .. 'callbacks:' .. first.id
    if first.leaves and first.key == shard.timers then members[#members + 1] = first.member end
    if first.leaves and first.key ~= shard.timers then redis.call('ZREM', first.key, first.member) end
    if first.before and first.before > 0 then redis.call('LTRIM', list, digits(first.before), '-1') end
    if first.callbacks and #first.callbacks == 0 and first.had_callbacks then redis.call('UNLINK', list) end
    if has_failed(first.entry) then
      keys[#keys + 1] = shard.root .. 'failures:' .. first.id
      if first.state == 'ready' then rename(shard, first) end
    end
  end
  in_chunks('ZREM', shard.timers, members)
  in_chunks('UNLINK', nil, keys)
  long.divide(shard)
end

-- Reads the settings of one segment. `line` is the header line of its messages.
local function read_segment(shard, args, at)
  local segment = { lane = args[at], pool = args[at + 1], attempts = args[at + 2], count = tonumber(args[at + 7]), ids = args[at + 8] }
  segment.numbered = string.sub(segment.ids, -1) == '-'
  local delay, wait = tonumber(args[at + 3]), tonumber(args[at + 4]) - shard.now
  segment.delay, segment.named = math.max(delay, wait, 0), wait > delay
  segment.ttl = tonumber(args[at + 5])
  local result_ttl, window, mode, digest, callbacks = string.match(args[at + 6], '^(%d+) (%d+) (%S+) (%S+)( ?%l*)$')
  shard.since = shard.since or digits(shard.now)
  segment.extras = result_ttl and ' ' .. result_ttl .. ' ' .. digest .. callbacks or ''
  segment.line = line_of(shard, segment, segment.lane, segment.pool, shard.now + segment.delay)
  segment.mode, segment.window, segment.callbacks = mode, window, callbacks == ' callbacks'
  -- Who waits for quiet has to be found for as long as it waits.
  if mode == 'debounce' then segment.window = digits(math.max(tonumber(window), math.ceil(segment.delay))) end
  if digest and digest ~= '-' then
    segment.key = shard.root .. 'dedup:' .. queue_of(segment.lane) .. ':' .. string.gsub(digest, '!', '')
  end
  return segment
end

local DIGITS = { [0] = '0', '1', '2', '3', '4', '5', '6', '7', '8', '9' }

-- Messages of a segment that are ready and have nothing to look up: nearly all. Returns where the next segment begins.
local function admit_plain(shard, intake, segment, args, at)
  local entries, envelopes = move_to(intake.moves, segment.pool, segment.lane, 'LPUSH').entries, intake.envelopes
  local line, entered, written = segment.line, #entries, #envelopes
  local tens, unit = segment.ids, ''
  local entry, key = '1.' .. tens, shard.root .. 'm:' .. tens
  for i = 1, segment.count do
    if segment.numbered then -- `digits` for each would cost more than the rest of its id
      local place = intake.place + i - 1
      unit = DIGITS[place % 10]
      if place >= 10 and (i == 1 or unit == '0') then
        tens = segment.ids .. digits((place - place % 10) / 10)
        entry, key = '1.' .. tens, shard.root .. 'm:' .. tens
      end
    end
    entries[entered + i] = entry .. unit
    envelopes[written + 1], envelopes[written + 2] = key .. unit, line .. args[at]
    at, written = at + 1, written + 2
  end
  intake.place = intake.place + segment.count
  intake.ready = intake.ready or segment.pool == '*'
  return at
end

-- Gathers the segments in args[at … last].
local function admit(shard, intake, args, at, last)
  while at <= last do
    local segment = read_segment(shard, args, at)
    at = at + 9
    local plain = segment.delay == 0 and not segment.key and not segment.callbacks
    if plain then at = admit_plain(shard, intake, segment, args, at) end
    for _ = 1, plain and 0 or segment.count do
      local count = segment.callbacks and tonumber(args[at + 1])
      admit_one(shard, intake, segment, args[at], count and { unpack(args, at + 2, at + 1 + count) })
      at = at + (count and 2 + count or 1)
    end
  end
end

-- What follows on a message that is 'done' or 'dead'. It stays for another end, after a redrive.
local function admit_callbacks(shard, intake, header, id, outcome)
  if not header.callbacks then return end
  local args = redis.pcall('LRANGE', shard.root .. 'callbacks:' .. id, '0', '-1')
  for at = 1, (args.err or #args % 11 ~= 0) and 0 or #args, 11 do -- a list that was cut short says nothing
    if args[at] == outcome then
      args[at + 9] = id .. '-' .. outcome .. digits((at - 1) / 11 + 1) .. (outcome == 'dead' and '-' .. digits(shard.now) or '')
      admit(shard, intake, args, at + 1, at + 10)
    end
  end
end

-- A message will not be tried again.
local function end_dead(shard, intake, garbage, header, id)
  end_dedup(garbage, shard.root, header, id)
  admit_callbacks(shard, intake, header, id, 'dead')
end

-- Puts the envelopes of new messages. False where `command` is MSETNX and one of them is there already.
local function put_envelopes(envelopes, command)
  for from = 1, #envelopes, CHUNK do
    local to = math.min(from + CHUNK - 1, #envelopes)
    if redis.call(command, unpack(envelopes, from, to)) == 0 then return false end
    undo_by(function()
      for i = from, to, 2 do redis.pcall('UNLINK', envelopes[i]) end
    end)
  end
  return true
end

-- Puts all that was gathered; remove_replaced comes when all else is stored, too. With `once` nothing is written where one of the
-- messages is there already, which answers false, and put_over is left to the caller.
local function put_in(shard, intake, once)
  if not put_envelopes(intake.envelopes, once and 'MSETNX' or 'MSET') then return false end
  for _, callback in ipairs(intake.callbacks) do
    local key = shard.root .. 'callbacks:' .. callback.id
    undo_by(function() redis.pcall('UNLINK', key) end)
    in_chunks('RPUSH', key, callback.args)
  end
  put_all(shard, intake.moves)
  overflow.put(shard, intake.timers)
  for _, dedup in ipairs(intake.dedups) do
    if not dedup[4] then
      redis.call('SET', dedup[1], dedup[2], 'PX', dedup[3])
      undo_by(function() redis.pcall('UNLINK', dedup[1]) end)
    end
  end
  put_replaced(shard, intake)
  return true
end
