-- overflow: delayed entries beyond what one record may have.
--
-- `timers` keeps what is due first, and all that is no plain delayed entry. The last of the others stand in sorted sets `timers:<n>`, and for
-- each of these a marker '+ <n>' in timers, where the first of them is due or before: who fires meets it in time, and brings the next
-- ones back before it goes on. It sorts before all others of its instant.

--- @include clock entry lane

-- Its functions are in one table: Lua has room for 200 locals in a script.
local overflow = {}

-- A record may have so many bytes, where a member takes so many besides its own: what was measured is 100 to 105. Hosted Redis allows
-- 100 MB; between two looks, and where short names follow on long ones, a record has up to twice as many.
local TIMERS_BYTES, MEMBER_BYTES = 50000000, 100

-- Records of overflow there may be. With more, timers grow.
local RECORDS = 64

-- Once for so many delayed entries it is looked how many there are; so many of the last ones go at once, and so many of the first
-- come back, of those that are due in so many ms. So a record in which little is due is not read for each of them.
local LOOK_EVERY, SPILLED, PULLED, AHEAD_MS = 1000, 2000, 1000, 60000

-- The last members of timers may be others: so often it looks further down, twice as far each time.
local DEEPER = 8

-- What markers there may be, behind these members.
local function with_markers(members)
  for n = 1, RECORDS do members[#members + 1] = '+ ' .. digits(n) end
  return members
end

-- Keeps for the rest of the call which records there are, by the scores of their markers, which stand behind the first `skip`.
local function note_records(shard, scores, skip)
  shard.overflow = {}
  for n = 1, RECORDS do
    local marker = '+ ' .. digits(n)
    if scores[skip + n] then
      local record = { number = n, marker = marker, key = shard.timers .. ':' .. digits(n), score = tonumber(scores[skip + n]) }
      shard.overflow[#shard.overflow + 1], shard.overflow[marker] = record, record
    end
  end
end

-- The records of overflow that there are.
function overflow.records(shard)
  if not shard.overflow then
    local scores = redis.pcall('ZMSCORE', shard.timers, unpack(with_markers({})))
    note_records(shard, scores.err and {} or scores, 0)
  end
  return shard.overflow
end

-- The first of some members that waits, in timers or in a record of overflow: its place among them, its score, and the key; whether
-- timers have a wrong type. Which records there are is asked with the first question, so it costs nothing where there are none.
function overflow.find(shard, members)
  local count, asked = #members, { unpack(members) }
  local scores = redis.pcall('ZMSCORE', shard.timers, unpack(shard.overflow and asked or with_markers(asked)))
  if scores.err then return nil, nil, nil, true end
  if not shard.overflow then note_records(shard, scores, count) end
  local key = shard.timers
  for at = 0, #shard.overflow do
    if at > 0 then
      key = shard.overflow[at].key
      scores = redis.pcall('ZMSCORE', key, unpack(members))
    end
    for i = 1, count do
      if scores[i] then return i, scores[i], key end
    end
  end
end

-- The score of the last that is due in a millisecond, wherever it stands; nil where none is.
function overflow.last_in(shard, ms)
  local last
  local function look_into(key)
    local found = redis.pcall('ZRANGE', key, '(' .. digits(ms + 1), digits(ms), 'BYSCORE', 'REV', 'LIMIT', '0', '1', 'WITHSCORES')
    if found[2] then last = math.max(last or 0, tonumber(found[2])) end
  end
  look_into(shard.timers)
  for _, record in ipairs(overflow.records(shard)) do
    if record.score < ms + 1 then look_into(record.key) end
  end
  return last
end

-- Adds delayed entries, pairs of score and member, and remembers how many: see spill.
function overflow.put(shard, scored)
  put_members(shard.timers, scored)
  shard.delayed, shard.delayed_as = (shard.delayed or 0) + #scored / 2, shard.delayed_as or scored[2]
end

-- The last plain entries in timers, pairs of score and member, those due last first.
local function last_entries(shard)
  local scored, from = {}, 0
  for _ = 1, DEEPER do
    local page = redis.call('ZRANGE', shard.timers, digits(from), digits(from + SPILLED - 1), 'REV', 'WITHSCORES')
    for i = 1, #page, 2 do
      if string.sub(page[i], 1, 2) == 'm ' then scored[#scored + 1], scored[#scored + 2] = page[i + 1], page[i] end
    end
    if #scored >= SPILLED or #page < 2 * SPILLED then break end
    from = 2 * from + SPILLED
  end
  return scored
end

-- A record that has room for so many more, one that begins late where there is one; nil where none has.
local function record_with_room(shard, count, most)
  local records = { unpack(overflow.records(shard)) }
  table.sort(records, function(a, b) return a.score > b.score end)
  for _, record in ipairs(records) do
    local length = redis.pcall('ZCARD', record.key)
    if type(length) == 'number' and length + count <= most then return record end
  end
  for n = 1, RECORDS do
    local marker = '+ ' .. digits(n)
    local key = shard.timers .. ':' .. digits(n)
    -- What stands there without a marker comes under one now.
    local first = not shard.overflow[marker] and redis.pcall('ZRANGE', key, '0', '0', 'WITHSCORES')
    if first and not first.err then return { marker = marker, key = key, first = tonumber(first[2]) } end
  end
end

-- Puts entries in a record, and before that its marker where the first of them is due.
local function put_spilled(shard, record, scored)
  local lowest, before = scored[#scored - 1], record.score
  if record.first and record.first < tonumber(lowest) then lowest = instant(record.first) end
  if not before or before > tonumber(lowest) then
    redis.call('ZADD', shard.timers, lowest, record.marker)
    undo_by(function()
      if before then redis.pcall('ZADD', shard.timers, instant(before), record.marker) else redis.pcall('ZREM', shard.timers, record.marker) end
    end)
  end
  put_members(record.key, scored)
end

local function members_in(scored)
  local members = {}
  for i = 2, #scored, 2 do members[i / 2] = scored[i] end
  return members
end

-- Where this call has added delayed entries it looks now and then, by chance that their names give, whether timers are too
-- large, and takes the last ones out. Comes behind all else, and never raises: what storage refuses stays where it is.
function overflow.spill(shard)
  local like, drawn = shard.delayed_as, 0
  if not like then return end
  for i = math.max(1, #like - 15), #like do drawn = (drawn * 31 + string.byte(like, i)) % LOOK_EVERY end
  local length = drawn < shard.delayed and redis.pcall('ZCARD', shard.timers)
  local most = TIMERS_BYTES / (MEMBER_BYTES + #like)
  if type(length) ~= 'number' or length <= most then return end
  local scored = last_entries(shard)
  local record = #scored > 0 and record_with_room(shard, #scored / 2, most)
  if not record then return end
  local refused = attempt(put_spilled, shard, record, scored)
  shard.overflow = nil
  if refused then return note_refusal(shard, refused) end
  in_chunks('ZREM', shard.timers, members_in(scored))
end

-- A marker is due: the first of its record come back, and it moves to those that stay. False where that is refused, or the
-- record's key has a wrong type.
function overflow.pull(shard, marker)
  local key = shard.timers .. ':' .. string.sub(marker, 3)
  local ahead = digits(shard.now + AHEAD_MS)
  local page = redis.pcall('ZRANGE', key, '-inf', ahead, 'BYSCORE', 'LIMIT', '0', digits(PULLED), 'WITHSCORES')
  if page.err then return false end
  local rest = redis.call('ZRANGE', key, digits(#page / 2), digits(#page / 2), 'WITHSCORES')
  local scored = {}
  for i = 1, #page, 2 do scored[i], scored[i + 1] = page[i + 1], page[i] end
  local refused = attempt(function()
    put_members(shard.timers, scored)
    if rest[2] then redis.call('ZADD', shard.timers, rest[2], marker) end
  end)
  shard.overflow = nil
  if refused then
    note_refusal(shard, refused)
    return false
  end
  in_chunks('ZREM', key, members_in(scored))
  if not rest[2] then redis.call('ZREM', shard.timers, marker) end
  return true
end
