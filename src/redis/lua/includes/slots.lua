-- slots: who has the slots of limits, and what leases hold, against what is counted and what is nowhere else.

--- @include clock entry lane lease foreign definitions limits dead letters find admit check

-- Pages of 1,000 timers looked at, leases looked into, and items in them: some tens of ms. With more nothing can be said of an envelope
-- that is nowhere else, nor of who has slots. One call does all of it, because messages may move from one lease to another.
local PAGES = 100

local LEASES, ITEMS = 15000, 50000

local function note_slot(slots, slot, count)
  if not slot then return end
  local queue, group = queue_of(slot.lane), group_of(slot.lane)
  if slot.mode ~= 'w' then slots[queue] = (slots[queue] or 0) + (count or 1) end
  if slot.mode ~= 'q' then slots[group] = (slots[group] or 0) + (count or 1) end
end

-- Calls `see` with each member of a sorted set. False where there are too many to look at.
local function scan(key, pattern, pages, see)
  local cursor = '0'
  repeat
    local page = redis.call('ZSCAN', key, cursor, 'MATCH', pattern, 'COUNT', '1000')
    cursor, pages = page[1], pages - 1
    for i = 1, #page[2], 2 do see(page[2][i]) end
  until cursor == '0' or pages <= 0
  return cursor == '0'
end

-- Calls `see` with what each lease holds, and `waits`, where it is given, with each timer of what keeps its slot. False where that is too
-- much to look at. By rank, without scores: those would be most of what it costs.
local function look_at_held(shard, pages, see, waits)
  local leases, items, members, byte, sub = {}, 0, nil, string.byte, string.sub
  for page = 0, pages - 1 do
    members = redis.call('ZRANGE', shard.timers, digits(page * 1000), digits(page * 1000 + 999))
    for _, member in ipairs(members) do
      local kind = byte(member)
      if kind == 108 then leases[#leases + 1] = sub(member, 3) elseif kind == 104 and waits then waits(member) end
    end
    if #members < 1000 then break end
  end
  if #members == 1000 or #leases > LEASES then return false end
  local prefix = shard.root .. 'lease:'
  for _, lease in ipairs(leases) do
    local raws = redis.pcall('LRANGE', prefix .. lease, '0', digits(ITEMS - items))
    if not raws.err then see(raws) end
    items = items + #raws
    if items > ITEMS then return false end
  end
  return true
end

-- The slots that leases and timers hold; nil where that is too much to look at. Nearly all are alike: each is read once.
local function slots_now(shard, pages)
  local slots, alike, find, sub = {}, {}, string.find, string.sub
  local complete = look_at_held(shard, pages, function(raws)
    for i = 1, #raws do
      local blank = find(raws[i], ' ', 1, true)
      local slot = blank and sub(raws[i], blank)
      if slot then alike[slot] = (alike[slot] or 0) + 1 end
    end
  end, function(member)
    local pool, lane = string.match(member, '^h (%S+) (%d:%S+) ')
    if pool then note_slot(slots, { pool = pool, lane = lane, mode = 'w' }) end
  end)
  for slot, count in pairs(alike) do note_slot(slots, read_item('1.' .. slot).slot, count) end
  return complete and slots or nil
end

-- Those of the names of limits of which others are counted than have slots.
local function miscounted(slots, stored)
  local names = {}
  for name, count in pairs(stored) do
    if (slots[name] or 0) ~= count then names[#names + 1] = name end
  end
  for name in pairs(slots) do
    if not stored[name] then names[#names + 1] = name end
  end
  return names
end

-- Adds the slots that dead letters hold. Their parts are looked at only where counts are not right without. False where that is too much.
local function add_letters(shard, slots, stored, queues, pages)
  local order = {}
  local function add(key)
    return scan(key, '* w', pages, function(member) note_slot(slots, read_item(member).slot) end)
  end
  for queue in pairs(queues) do
    order[#order + 1] = queue
    if not add(shard.root .. 'dead:' .. queue) then return false end
  end
  for _, key in ipairs(#order > 0 and #miscounted(slots, stored) > 0 and letters.parts(shard.root, order) or {}) do
    if not add(key) then return false end
  end
  return true
end

-- Queues whose dead letters may hold slots: those with slots of groups, and those that this deployment lets a death hold back.
local function holding_queues(shard, stored)
  local queues = {}
  for name in pairs(stored) do
    if string.find(name, '/', 1, true) then queues[queue_of('0:' .. name)] = true end
  end
  local function add_blocking(queue, words) -- its counts may be lost
    if string.find(words .. ' ', ' b ', 1, true) then queues[queue] = true end
  end
  for queue, words in string.gmatch(shard.policies, '\n(%S+) %S+([^\n]*)') do add_blocking(queue, words) end
  for queue in pairs(shard.digest and shard.pools or {}) do add_blocking(queue, definitions.of(shard, queue)) end
  if next(queues) then queues[NO_QUEUE] = true end -- letters that their queues could not keep
  return queues
end

-- Of this name others were counted than have slots, and lanes may wait for those who have none: they come back first, for with the
-- right count nothing would tell of them any more. Who waits for a queue looks again by himself. Returns whether they are back.
local function bring_back(shard, name, count)
  local queue, members = queue_of('0:' .. name), {}
  shard.inflight[name] = count
  for _, lane in ipairs(name ~= queue and definitions.lanes_behind(shard, queue, { name }) or {}) do
    members[#members + 1] = lane[1]
    members[#members + 1] = lane[2]
  end
  if #members == 0 or pcall(inspect.blocked, shard, queue, members) then return true end
  found(shard, 'not-inspected', 'blocked:' .. queue)
  return false
end

-- The counts of slots, as HGETALL gives them, against those who have them.
local function check_counts(shard, counts, pages)
  local slots, stored = slots_now(shard, pages), {}
  for i = 1, #counts, 2 do stored[counts[i]] = tonumber(counts[i + 1]) end
  if not slots or not add_letters(shard, slots, stored, holding_queues(shard, stored), pages) then
    shard.incomplete.counts = true
    return
  end
  for _, name in ipairs(miscounted(slots, stored)) do
    if found(shard, 'count-without-slots', name) and bring_back(shard, name, slots[name] or 0) then
      if slots[name] then
        redis.call('HSET', shard.root .. 'inflight', name, digits(slots[name]))
      else
        redis.call('HDEL', shard.root .. 'inflight', name)
      end
    end
  end
end

function inspect.inflight(shard)
  check_counts(shard, redis.call('HGETALL', shard.root .. 'inflight'), PAGES)
end

-- What leases hold, read once for each call, for many envelopes; false where that is too much to look at.
local function held_ids(shard)
  if shard.leased ~= nil then return shard.leased end
  local ids, match = {}, string.match
  local complete = look_at_held(shard, PAGES, function(raws)
    for i = 1, #raws do
      local id = match(raws[i], '^%d+r?%.(%S+)')
      if id then ids[id] = true end
    end
  end)
  shard.leased = complete and ids
  return shard.leased
end

-- A message whose list vanished (evicted, removed by hand): it is delivered again, an attempt after the last it may have had.
function inspect.m(shard, id)
  if shard.leased and shard.leased[id] then return end
  shard.looked = shard.looked or {} -- a page has many of one lane, whose ends are read once for all of them
  local place = locate(shard, id, shard.looked, true)
  if place.state ~= 'leased' then return end
  if not held_ids(shard) then shard.incomplete.envelopes = true end
  if not shard.leased or shard.leased[id] or not found(shard, 'envelope-without-entry', id) then return end
  local last = tonumber(string.match(text_of(shard.root .. 'failures:' .. id), '(%d+) %d+ %S+ [^\n]*$') or '0')
  local entry = digits(last + 1) .. '.' .. id
  local intake, buried, garbage, moves = new_intake(), {}, {}, {}
  if last + 1 >= place.header.attempts then
    buried[1] = { queue = queue_of(place.header.lane), entry = entry }
    end_dead(shard, intake, garbage, place.header, id)
  else
    gather(moves, place.header.pool, place.header.lane, 'RPUSH', next_entry(entry))
  end
  local refused = attempt(function()
    bury(shard, buried)
    put_all(shard, moves)
    put_in(shard, intake)
    put_over(shard, intake)
  end)
  if refused then return end
  record_failures(shard, { failure(entry, shard.now, 'lease_expired', 'its list vanished') })
  in_chunks('UNLINK', nil, garbage)
  count_buried(shard, buried)
  remove_replaced(shard, intake)
end
