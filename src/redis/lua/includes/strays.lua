-- strays: a slow look at all envelopes for messages that are in no list, a page in each sweep. One begins a day after the last one
-- began, and within an hour where storage has refused a write meanwhile.
--
-- As long as it lasts, the key `strays` says how far it is: '<pass> <cursor> <id>', of that page the ids up to this one are done.
-- When it began stands in the hash of totals ('&', epoch ms), until whoever is refused a write takes it away: see note_refusal.

--- @include clock entry lane parts lease there rollup find check slots keys overflow letters

-- Keys on a page: of leases, whose names are all that is read of most, and of envelopes.
local PAGE_OF = { leases = '1000', envelopes = '200' }

-- Of the envelopes on a page so many bytes are read in one call, one at least.
local BYTES = 4000000

-- Entries read from lanes in one call. Of a longer lane nothing can be said.
local ENTRIES = 20000

-- What is in no place where most are is looked for everywhere, so many in one call.
local SUSPECTS = 50

local function is_due(shard)
  local began = redis.pcall('HGET', shard.root .. 'stats:totals', '&')
  began = tonumber(type(began) == 'string' and began or '')
  return not began or math.abs(shard.now - began) >= DAY_MS
end

-- The ids in a lane; false where it is too long to be read, or no list; nil where it is longer than `room`. And how many.
local function ids_in(key, room)
  local texts, ids = redis.pcall('LRANGE', key, '0', digits(CHUNK - 1)), {}
  if texts.err then return false, 0 end
  if #texts == CHUNK then
    local length = redis.call('LLEN', key)
    if length > ENTRIES then return false, 0 end
    if length > room then return nil end
    texts = redis.call('LRANGE', key, '0', '-1')
  end
  if long.has_mark(texts) then return false, 0 end -- it has parts
  for _, text in ipairs(texts) do ids[id_of(text)] = true end
  return ids, #texts
end

-- Those of some messages that are not in their lanes, { id =, header =, entries = } each, and of how many that was looked at.
local function outside_lanes(shard, ids)
  local entries, headers, keys, there, lanes, outside = {}, {}, {}, {}, {}, {}
  for i, id in ipairs(ids) do entries[i] = '1.' .. id end
  local envelopes = read_envelopes(shard.root, entries, BYTES)
  for i, envelope in ipairs(envelopes) do
    headers[i] = header_of(envelope) or false
    local key = headers[i] and shard.root .. 'lane:' .. headers[i].lane
    if key and there[key] == nil then keys[#keys + 1], there[key] = key, false end
  end
  for _, key in ipairs(those_there(keys)) do there[key] = true end
  local room = ENTRIES
  for i, header in ipairs(headers) do
    local key = header and shard.root .. 'lane:' .. header.lane
    if key and there[key] and lanes[key] == nil then
      local within, count = ids_in(key, room)
      if within == nil then return outside, i - 1 end
      lanes[key], room = within, room - count
    end
    local within = key and lanes[key]
    if key and within ~= false and not (within and within[ids[i]]) then
      outside[#outside + 1] = { id = ids[i], header = header }
    end
  end
  return outside, #envelopes
end

-- Those of some messages that are not in a sorted set either: `names` gives the members under which one may be there.
local function outside_of(key, messages, names)
  local members, owners, there, outside = {}, {}, {}, {}
  for _, message in ipairs(messages) do
    for _, member in ipairs(names(message)) do
      members[#members + 1], owners[#owners + 1] = member, message
    end
  end
  for from = 1, #members, CHUNK do
    local scores = redis.call('ZMSCORE', key, unpack(members, from, math.min(from + CHUNK - 1, #members)))
    for i, score in ipairs(scores) do
      if score then there[owners[from + i - 1]] = true end
    end
  end
  for _, message in ipairs(messages) do
    if not there[message] then outside[#outside + 1] = message end
  end
  return outside
end

local function timers_of(message)
  local names = {}
  for _, entry in ipairs(message.entries) do
    names[#names + 1] = delayed(message.header.pool, message.header.lane, entry)
    names[#names + 1] = 'h' .. string.sub(names[#names], 2)
  end
  return names
end

local function letters_of(message)
  local names, slot = {}, { pool = message.header.pool, lane = message.header.lane, mode = 'w' }
  for _, entry in ipairs(message.entries) do
    names[#names + 1], names[#names + 2] = entry, with_slot(entry, slot)
  end
  return names
end

-- Those that are neither delayed nor dead, under the names that they have as a rule.
local function outside_sets(shard, messages)
  if #messages == 0 then return messages end
  local ids, by_queue, outside = {}, {}, {}
  for i, message in ipairs(messages) do ids[i] = message.id end
  for i, lines in ipairs(failures_of(shard.root, ids)) do
    messages[i].entries = entries_of(lines, ids[i], messages[i].header)
  end
  messages = outside_of(shard.timers, messages, timers_of)
  for _, record in ipairs(#messages > 0 and overflow.records(shard) or {}) do messages = outside_of(record.key, messages, timers_of) end
  for _, message in ipairs(messages) do
    local queue = queue_of(message.header.lane)
    by_queue[queue] = by_queue[queue] or {}
    table.insert(by_queue[queue], message)
  end
  for queue, of_queue in pairs(by_queue) do
    local left = outside_of(shard.root .. 'dead:' .. queue, of_queue, letters_of)
    for _, key in ipairs(#left > 0 and letters.parts(shard.root, { queue }) or {}) do left = outside_of(key, left, letters_of) end
    for _, message in ipairs(left) do outside[#outside + 1] = message.id end
  end
  table.sort(outside)
  return outside
end

-- Looks at some envelopes, in the order of their ids, and delivers again what is nowhere. Returns the last id that is done.
local function look_at_envelopes(shard, ids)
  local outside, looked = outside_lanes(shard, ids)
  local suspects, last_suspect = 0, nil
  for _, id in ipairs(outside_sets(shard, outside)) do
    if held_ids(shard) and not shard.leased[id] then
      if suspects == SUSPECTS then return last_suspect end
      suspects = suspects + 1
      last_suspect = id
      inspect.m(shard, id)
    end
  end
  return ids[looked]
end

-- One step: a page of leases, all of which have timers behind it, or a part of a page of envelopes. Returns where to go on; nil at the end.
local function step(shard, pass, cursor, after)
  local names, next_cursor = names_from(shard, cursor, PAGE_OF[pass])
  local ids = {}
  for _, name in ipairs(names) do
    local kind, rest = kind_of(name)
    if kind == 'lease' then
      local before = #shard.findings
      sweep_key(shard, kind, rest)
      -- What a lease holds that could not be given its timer would look as if it were nowhere: it is looked at again.
      if pass == 'leases' and shard.findings[before + 3] == 'not-inspected' then return pass, cursor, '' end
    end
    if kind == 'm' and pass == 'envelopes' and #ids < CHUNK and rest > after then ids[#ids + 1] = rest end
  end
  if pass == 'leases' then return next_cursor == '0' and 'envelopes' or pass, next_cursor, '' end
  if #ids > 0 then
    local last = look_at_envelopes(shard, ids)
    if last ~= ids[#ids] or #ids == CHUNK then return pass, cursor, last end
  end
  if next_cursor ~= '0' then return pass, next_cursor, '' end
end

-- Goes on with a look, where `under_way` one may be, or begins one that is due. Returns whether one has begun.
local function look_for_strays(shard, under_way, asks)
  local key = shard.root .. 'strays'
  local pass, cursor, after = string.match(under_way and text_of(key) or '', '^(%l+) (%d+) (.*)$')
  local begins = not PAGE_OF[pass] and asks and is_due(shard)
  if begins then pass, cursor, after = 'leases', '0', '' end
  if not PAGE_OF[pass] then return false end
  local before, well = pass, nil
  well, pass, cursor, after = pcall(step, shard, pass, cursor, after)
  if well and before == 'leases' and pass == 'envelopes' then well, pass, cursor, after = pcall(step, shard, pass, cursor, after) end
  if not well then
    found(shard, 'not-inspected', 'strays')
    pass = nil
  end
  if pass then
    local kept = redis.pcall('SET', key, pass .. ' ' .. cursor .. ' ' .. after)
    return begins and not kept.err
  end
  if not begins then redis.call('UNLINK', key) end
  return begins
end
