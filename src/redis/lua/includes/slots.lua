-- slots: who has the slots of limits, and what leases hold, against what is counted and what is nowhere else.

--- @include clock entry lane lease foreign definitions limits dead find admit check

-- Pages of 1,000 timers looked at, leases looked into, and items in them. With more nothing can be said of an envelope that is
-- nowhere else, nor of who has slots.
local PAGES = 20

local LEASES, ITEMS = 1000, 50000

local function note_slot(slots, slot)
  if not slot then return end
  local queue, group = queue_of(slot.lane), group_of(slot.lane)
  if slot.mode ~= 'w' then slots[queue] = (slots[queue] or 0) + 1 end
  if slot.mode ~= 'q' then slots[group] = (slots[group] or 0) + 1 end
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

-- What leases and timers hold now: ids, and the slots of both; nil where that is too much to look at.
local function held_now(shard, pages)
  local ids, slots, leases, items = {}, {}, {}, 0
  local complete = scan(shard.timers, '[lh] *', pages, function(member)
    local pool, lane = string.match(member, '^h (%S+) (%d:%S+) ')
    if pool then note_slot(slots, { pool = pool, lane = lane, mode = 'w' }) end
    if not pool then leases[#leases + 1] = string.sub(member, 3) end
  end)
  if not complete or #leases > LEASES then return nil end
  for _, lease in ipairs(leases) do
    local raws = redis.pcall('LRANGE', shard.root .. 'lease:' .. lease, '0', digits(ITEMS - items))
    for _, item in ipairs(entries_in(raws.err and {} or raws)) do
      ids[id_of(item.entry)] = true
      note_slot(slots, item.slot)
    end
    items = items + #raws
    if items > ITEMS then return nil end
  end
  return ids, slots
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
  for queue in pairs(shard.digest and shard.pools or {}) do add_blocking(queue, definition_of(shard, queue)) end
  if next(queues) then queues[NO_QUEUE] = true end -- letters that their queues could not keep
  return queues
end

-- The counts of slots, as HGETALL gives them, against those who have them.
local function check_counts(shard, counts, pages)
  local ids, slots = held_now(shard, pages)
  local stored, complete = {}, ids ~= nil
  for i = 1, #counts, 2 do stored[counts[i]] = tonumber(counts[i + 1]) end
  for queue in pairs(complete and holding_queues(shard, stored) or {}) do
    complete = complete and scan(shard.root .. 'dead:' .. queue, '* w', pages, function(member)
      note_slot(slots, read_item(member).slot)
    end)
  end
  if not complete then
    shard.incomplete.counts = true
    return
  end
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

function inspect.inflight(shard)
  check_counts(shard, redis.call('HGETALL', shard.root .. 'inflight'), PAGES)
end

-- What leases hold, read once for each call, for many envelopes; false where that is too much to look at.
local function held_ids(shard)
  if shard.leased == nil then shard.leased = held_now(shard, PAGES) or false end
  return shard.leased
end

-- A message whose list vanished (evicted, removed by hand): it is delivered again, an attempt after the last it may have had.
function inspect.m(shard, id)
  if not held_ids(shard) then shard.incomplete.envelopes = true end
  if not shard.leased or shard.leased[id] then return end
  local place = locate(shard, id)
  if place.state ~= 'leased' or not found(shard, 'envelope-without-entry', id) then return end
  local last = tonumber(string.match(text_of(shard.root .. 'failures:' .. id), '(%d+) %d+ [%l_]+ [^\n]*$') or '0')
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
  end)
  if refused then return end
  record_failures(shard, { failure(entry, shard.now, 'lease_expired', 'its list vanished') })
  in_chunks('UNLINK', nil, garbage)
  count_buried(shard, buried)
  remove_replaced(shard, intake)
end
