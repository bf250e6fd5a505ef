-- entry: what lists and timers carry, '<attempt>.<id>', and the header line of its envelope. '1r.<id>' is a message that was
-- redriven: its first attempt again, with failures from before.

--- @include clock

-- unpack() puts all on Lua's stack, whose size differs between servers: never more than this at once.
local CHUNK = 200

-- Calls `command` with `fixed` and then `values`, a chunk at a time; returns the last reply.
local function in_chunks(command, fixed, values)
  local reply
  for from = 1, #values, CHUNK do
    local to = math.min(from + CHUNK - 1, #values)
    if fixed then
      reply = redis.call(command, fixed, unpack(values, from, to))
    else
      reply = redis.call(command, unpack(values, from, to))
    end
  end
  return reply
end

-- The same of what storage may refuse and nobody waits for: never raises, and returns what the last part came to.
local function try_in_chunks(command, key, values)
  local reply
  for from = 1, #values, CHUNK do
    reply = redis.pcall(command, key, unpack(values, from, math.min(from + CHUNK - 1, #values)))
  end
  return reply
end

-- Puts, which storage may refuse wherever they stand in a script: a record, or the database, is full. What takes each of them back
-- is kept while an attempt is made; it is a delete, which is never refused.
local undoing

local function undo_by(take_back)
  if undoing then undoing[#undoing + 1] = take_back end
end

-- Makes the puts of `work`, all or none. Returns why storage refused them; nil where it did not.
local function attempt(work, ...)
  local outer, taken_back = undoing, {}
  undoing = taken_back
  local done, refused = pcall(work, ...)
  undoing = outer
  if done then
    for i = 1, outer and #taken_back or 0 do outer[#outer + 1] = taken_back[i] end
    return nil
  end
  for i = #taken_back, 1, -1 do taken_back[i]() end
  return type(refused) == 'table' and refused.err or tostring(refused)
end

-- Adds members that a sorted set has not: pairs of score and member.
local function put_members(key, scored)
  for from = 1, #scored, CHUNK do
    local to = math.min(from + CHUNK - 1, #scored)
    redis.call('ZADD', key, unpack(scored, from, to))
    undo_by(function()
      for i = from, to, 2 do redis.pcall('ZREM', key, scored[i + 1]) end
    end)
  end
end

-- Pushes values left of those that a list has.
local function push_left(key, values)
  for from = 1, #values, CHUNK do
    local to = math.min(from + CHUNK - 1, #values)
    redis.call('LPUSH', key, unpack(values, from, to))
    undo_by(function() redis.pcall('LTRIM', key, digits(to - from + 1), '-1') end)
  end
end

-- What went wrong with messages, by their ids: the lines of each, or false.
local function failures_of(root, ids)
  local found, keys = {}, {}
  for i, id in ipairs(ids) do keys[i] = root .. 'failures:' .. id end
  for from = 1, #keys, CHUNK do
    for i, lines in ipairs(redis.call('MGET', unpack(keys, from, math.min(from + CHUNK - 1, #keys)))) do found[from + i - 1] = lines end
  end
  return found
end

-- The text under a key; '' where there is none, or the key has a wrong type.
local function text_of(key)
  local text = redis.pcall('GET', key)
  return type(text) == 'string' and text or ''
end

-- What a list holds that is no entry, by whoever's hand, has attempt 0 and is its own id: it never raises, and ends as a message
-- without an envelope.
local function attempt_of(entry)
  return tonumber(string.match(entry, '^%d+') or '0')
end

local function id_of(entry)
  local dot = string.find(entry, '.', 1, true)
  return dot and string.sub(entry, dot + 1) or entry
end

-- In a replacement: what stands before the id of an entry of a first attempt, and of any. The first is what nearly all are, and
-- one call then makes the key of an envelope.
local FIRST, ANY = '^1%.', '^%d+r?%.'

local function next_entry(entry)
  return digits(attempt_of(entry) + 1) .. '.' .. id_of(entry)
end

-- Whether the message was delivered before, and may have failures on record.
local function has_failed(entry)
  return string.sub(entry, 1, 2) ~= '1.'
end

local function queue_of(lane)
  return string.match(lane, '^%d:([^/]+)')
end

-- What a cancel leaves in place of an envelope whose entry it could not reach: whoever meets the entry drops both.
local TOMBSTONE = 'cancelled'

local function read_header(line)
  local lane, pool, attempts, since, expires, more = string.match(line, '^(%S+) (%S+) (%d+) (%d+) (%d+)(.*)$')
  if not lane then return false end
  local header = { lane = lane, pool = pool, attempts = tonumber(attempts), expires = tonumber(expires), result_ttl = 0 }
  header.since = tonumber(since)
  local result_ttl, dedup, release, callbacks = string.match(more, '^ (%d+) ([^ !]+)(!?)( ?%l*)$')
  if result_ttl then
    header.result_ttl, header.dedup, header.release = tonumber(result_ttl), dedup, release == '!'
    header.callbacks = callbacks == ' callbacks'
  end
  return header
end

-- The last line that was read, and what it says: messages that came in together mostly share theirs.
local last_line, last_header

-- What the scripts may read of an envelope: its first line. nil where there is none.
local function header_of(envelope)
  local line_end = envelope and string.find(envelope, '\n', 1, true)
  if not line_end then return nil end
  local line = string.sub(envelope, 1, line_end - 1)
  if line ~= last_line then last_line, last_header = line, read_header(line) or nil end
  return last_header
end

-- Whether an envelope has a header that says of nothing but the plainest message: its line ends with the 0 of one that never
-- expires. Reading such a line whole would be most of what its delivery costs here.
local function is_plain(envelope)
  local line_end = envelope and string.find(envelope, '\n', 1, true)
  if not line_end then return false end
  local blank, expires = string.byte(envelope, line_end - 2, line_end - 1)
  return blank == 32 and expires == 48
end

-- The key under which a message is known as a duplicate; nil where it has none.
local function dedup_key(root, header)
  if header.dedup and header.dedup ~= '-' then return root .. 'dedup:' .. queue_of(header.lane) .. ':' .. header.dedup end
end

-- The message is done with: its dedup key is added to `garbage` where it does not outlive it, or where the message never came
-- to its end.
local function end_dedup(garbage, root, header, id, always)
  local key = dedup_key(root, header)
  if key and (always or header.release) and text_of(key) == id then garbage[#garbage + 1] = key end
end

-- Envelopes read at once: as many of the largest stay below the 10 MB that hosted Redis allows a reply.
local READ = 36

-- Reads envelopes in the order of `entries`, behind the first `skip` of them, until they add up to `most` bytes. Returns as many as
-- fit, but one at least; false where one is missing.
local function read_envelopes(root, entries, most, skip)
  local envelopes, bytes, prefix, gsub = {}, 0, root .. 'm:', string.gsub
  skip = skip or 0
  for from = skip + 1, #entries, READ do
    local keys = {}
    for i = from, math.min(from + READ - 1, #entries) do
      local key, found = gsub(entries[i], ANY, prefix)
      keys[i - from + 1] = found == 1 and key or prefix .. id_of(entries[i])
    end
    for i, envelope in ipairs(redis.call('MGET', unpack(keys))) do
      bytes = bytes + (envelope and #envelope or 0)
      if bytes > most and from + i > skip + 2 then return envelopes end
      envelopes[from + i - 1 - skip] = envelope
    end
  end
  return envelopes
end
