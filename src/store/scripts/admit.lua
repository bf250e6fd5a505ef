-- admit: messages on their way in: of an enqueue, of a handler whose ack they come with, and those that follow on another.
--
-- They come in runs of messages alike: lane, pool, most attempts, delay ms, not before (epoch ms), ttl ms (0: none), extras,
-- count, ids, then count × JSON. Ids are that of the only one, or '<base>-', behind which each has its place in the request,
-- from 0. Extras are '-', or '<retention ms> <window ms> <mode> <dedup digest>', the digest with '!' behind it where it goes
-- when the message is done, and ' then' at the end where each JSON is followed by the messages that follow on this one: how
-- many arguments, and for each of them 'done' or 'dead' and a run of one with '-' for its id.

-- Gathered before anything is written. `soonest` is when the first delayed one is due that is drained (and `shard.soonest` the same
-- of all that the call admits), `ready` whether one is ready, `met` what became of those whose dedup key was taken.
local function new_intake()
  return {
    moves = {}, timers = {}, envelopes = {}, dedups = {}, follows = {}, known = {}, met = {}, soonest = math.huge, place = 0,
    last_at = {}, instants = 0,
    replaced = {}, moved = {}, followed = {}, -- envelopes, timers and what follows of messages that were there before
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

-- The message that the key of a new one belongs to, if that is to go instead of it; what is done with the new one; and
-- where the first is.
local function first_of(shard, intake, key, mode)
  local known = intake.known[key]
  local id = known and known.id or holder_of(intake, key)
  if id == '' then return nil end
  if mode == 'drop' then return id, 'duplicate' end
  if known then return id, 'replaced', known end
  local where = locate(shard, id)
  if where.state == 'delayed' or (where.state == 'ready' and mode == 'replace') then return id, 'replaced', where end
  return nil -- it is being worked on with what it was: the new one counts
end

-- The new one takes the place of the first, which waits: its body, its settings, and where it is to be quiet first its time.
local function replace(shard, intake, run, id, where, json, follows)
  local words = { where.header.lane, where.header.pool, run.words }
  if run.mode == 'replace' then words = { string.match(where.envelope, '^([^\n]*)\n') } end
  local envelope = table.concat(words, ' ') .. '\n' .. json
  if where.at_envelope then
    intake.envelopes[where.at_envelope] = envelope
  else
    intake.replaced[#intake.replaced + 1] = shard.root .. 'm:' .. id
    intake.replaced[#intake.replaced + 1] = envelope
    if where.state == 'delayed' and run.mode == 'debounce' then
      intake.moved[#intake.moved + 1] = instant(shard.now + run.delay)
      intake.moved[#intake.moved + 1] = where.member
      foresee(shard, intake, where.header.pool, shard.now + run.delay)
      intake.dedups[#intake.dedups + 1] = { run.key, id, run.window }
    end
  end
  if run.mode == 'debounce' then intake.followed[#intake.followed + 1] = { id = id, args = follows or {} } end
end

-- Instants of one call behind whose last message it looks: more would cost a command for each message.
local INSTANTS = 20

-- When a message is due: behind those of the same millisecond that came before it. For a delay the fraction of the present ms
-- says so, for an instant that was named the last one that waits for it.
local function due_at(shard, intake, run)
  local due = shard.now + run.delay
  local ms = math.floor(due)
  local last = intake.last_at[ms] or due - STEP
  if run.named and not intake.last_at[ms] and intake.instants < INSTANTS then
    local found = redis.pcall('ZRANGE', shard.timers, '(' .. digits(ms + 1), digits(ms), 'BYSCORE', 'REV', 'LIMIT', '0', '1', 'WITHSCORES')
    last = tonumber(found[2] or last)
    intake.instants = intake.instants + 1
  end
  intake.last_at[ms] = math.min(last + STEP, ms + 1 - STEP)
  return intake.last_at[ms]
end

local function admit_one(shard, intake, run, json, follows)
  local first, what, where
  local id = run.numbered and run.ids .. digits(intake.place) or run.ids
  intake.place = intake.place + 1
  if run.key then first, what, where = first_of(shard, intake, run.key, run.mode) end
  if first then
    intake.met[#intake.met + 1] = digits(intake.place) .. '=' .. first .. '=' .. what
    if where then replace(shard, intake, run, first, where, json, follows) end
    return
  end
  local envelope = run.line .. json
  intake.envelopes[#intake.envelopes + 1] = shard.root .. 'm:' .. id
  intake.envelopes[#intake.envelopes + 1] = envelope
  if run.key then
    intake.known[run.key] = { id = id, header = run, envelope = envelope, at_envelope = #intake.envelopes }
    intake.dedups[#intake.dedups + 1] = { run.key, id, run.window }
  end
  if follows then intake.follows[#intake.follows + 1] = { id = id, args = follows } end
  if run.delay == 0 then
    gather(intake.moves, run.pool, run.lane, 'LPUSH', '1.' .. id)
    intake.ready = intake.ready or run.pool == '*'
  else
    intake.timers[#intake.timers + 1] = instant(due_at(shard, intake, run))
    intake.timers[#intake.timers + 1] = delayed(run.pool, run.lane, '1.' .. id)
    foresee(shard, intake, run.pool, shard.now + run.delay)
  end
end

-- Reads the settings of one run. `line` is the header line of its messages, `words` what stands there behind lane and pool.
local function read_run(shard, args, at)
  local run = { lane = args[at], pool = args[at + 1], count = tonumber(args[at + 7]), ids = args[at + 8] }
  run.numbered = string.sub(run.ids, -1) == '-'
  local delay, wait = tonumber(args[at + 3]), tonumber(args[at + 4]) - shard.now
  run.delay, run.named = math.max(delay, wait, 0), wait > delay
  local retention, window, mode, digest, follow = string.match(args[at + 6], '^(%d+) (%d+) (%S+) (%S+)( ?%l*)$')
  local ttl = tonumber(args[at + 5])
  shard.since = shard.since or digits(shard.now)
  run.words = args[at + 2] .. ' ' .. shard.since .. ' ' .. (ttl > 0 and digits(shard.now + run.delay + ttl) or '0')
  if retention then run.words = run.words .. ' ' .. retention .. ' ' .. digest .. follow end
  run.line = run.lane .. ' ' .. run.pool .. ' ' .. run.words .. '\n'
  run.mode, run.window, run.follow = mode, window, follow == ' then'
  if digest and digest ~= '-' then
    run.key = shard.root .. 'dedup:' .. queue_of(run.lane) .. ':' .. string.gsub(digest, '!', '')
  end
  return run
end

local DIGITS = { [0] = '0', '1', '2', '3', '4', '5', '6', '7', '8', '9' }

-- Messages of a run that are ready and have nothing to look up: nearly all. Returns where the next run begins.
local function admit_plain(shard, intake, run, args, at)
  local entries, envelopes = move_to(intake.moves, run.pool, run.lane, 'LPUSH').entries, intake.envelopes
  local line, entered, written = run.line, #entries, #envelopes
  local tens, unit = run.ids, ''
  local entry, key = '1.' .. tens, shard.root .. 'm:' .. tens
  for i = 1, run.count do
    if run.numbered then -- `digits` for each would cost more than the rest of its id
      local place = intake.place + i - 1
      unit = DIGITS[place % 10]
      if place >= 10 and (i == 1 or unit == '0') then
        tens = run.ids .. digits((place - place % 10) / 10)
        entry, key = '1.' .. tens, shard.root .. 'm:' .. tens
      end
    end
    entries[entered + i] = entry .. unit
    envelopes[written + 1], envelopes[written + 2] = key .. unit, line .. args[at]
    at, written = at + 1, written + 2
  end
  intake.place = intake.place + run.count
  intake.ready = intake.ready or run.pool == '*'
  return at
end

-- Gathers the runs in args[at … last].
local function admit(shard, intake, args, at, last)
  while at <= last do
    local run = read_run(shard, args, at)
    at = at + 9
    local plain = run.delay == 0 and not run.key and not run.follow
    if plain then at = admit_plain(shard, intake, run, args, at) end
    for _ = 1, plain and 0 or run.count do
      local count = run.follow and tonumber(args[at + 1])
      admit_one(shard, intake, run, args[at], count and { unpack(args, at + 2, at + 1 + count) })
      at = at + (count and 2 + count or 1)
    end
  end
end

-- What follows on a message that is 'done' or 'dead'. It stays for another end, after a redrive.
local function follow(shard, intake, header, id, outcome)
  if not header.follow then return end
  local args = redis.pcall('LRANGE', shard.root .. 'then:' .. id, '0', '-1')
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
  follow(shard, intake, header, id, 'dead')
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

-- Writes all that was gathered. What takes the place of something comes last, because nothing takes it back: done again it is
-- the same. With `once` nothing is written where one of the messages is there already; answers whether it was.
local function put_in(shard, intake, once)
  if not put_envelopes(intake.envelopes, once and 'MSETNX' or 'MSET') then return false end
  for _, followed in ipairs(intake.follows) do
    local key = shard.root .. 'then:' .. followed.id
    undo_by(function() redis.pcall('UNLINK', key) end)
    in_chunks('RPUSH', key, followed.args)
  end
  put_all(shard, intake.moves)
  put_members(shard.timers, intake.timers)
  for _, dedup in ipairs(intake.dedups) do
    redis.call('SET', dedup[1], dedup[2], 'PX', dedup[3])
    undo_by(function() redis.pcall('UNLINK', dedup[1]) end)
  end
  for _, followed in ipairs(intake.followed) do
    local key = shard.root .. 'then:' .. followed.id
    local length = in_chunks('RPUSH', key, followed.args)
    if length then redis.call('LTRIM', key, digits(length - #followed.args), '-1') else redis.call('UNLINK', key) end
  end
  in_chunks('MSET', nil, intake.replaced)
  in_chunks('ZADD', shard.timers, intake.moved)
  return true
end
