-- dead: failures of a message, and the end of those that will not be tried again.

--- @include clock entry lease limits counters letters

-- Of a message's errors the last few are kept, a line each: '<attempt> <at> <kind> <text>'.
local FAILURES_KEPT = 5

local function failure(entry, now, kind, text)
  return { id = id_of(entry), line = digits(attempt_of(entry)) .. ' ' .. digits(now) .. ' ' .. kind .. ' ' .. text }
end

local function keep_last(lines, line)
  local kept = {}
  for earlier in string.gmatch(lines or '', '[^\n]+') do kept[#kept + 1] = earlier end
  kept[#kept + 1] = line
  return table.concat(kept, '\n', math.max(1, #kept - FAILURES_KEPT + 1))
end

-- Where storage refuses it, that costs the texts, not the messages. Comes last among puts: what is taken back and done again would
-- leave two lines.
local function record_failures(shard, failures)
  for from = 1, #failures, CHUNK / 2 do
    local ids, texts = {}, {}
    for i = from, math.min(from + CHUNK / 2 - 1, #failures) do ids[#ids + 1] = failures[i].id end
    for i, earlier in ipairs(failures_of(shard.root, ids)) do
      texts[#texts + 1] = shard.root .. 'failures:' .. ids[i]
      texts[#texts + 1] = keep_last(earlier, failures[from + i - 1].line)
    end
    redis.pcall('MSET', unpack(texts))
  end
end

-- How many of the oldest dead letters go at once where a queue has more than are kept, or they are older.
local TRIMMED = 200

-- Once for so many letters it is looked how many their queue has in all parts.
local LOOK_EVERY_LETTERS = MOST / 8192

-- How many dead letters a queue keeps, and for how long: as the deployment says, '\n. <number> <ms>' before its queues.
local function kept_letters(shard)
  local number, ms = string.match(shard.policies or '', '^\n%. (%d+) (%d+)')
  return tonumber(number or '100000'), tonumber(ms or '2592000000')
end

-- Removes some dead letters of a record for good, but those that hold their group back. Returns how many went.
local function discard(shard, queue, key, members)
  local gone, keys = {}, {}
  for _, letter in ipairs(members) do
    local item = read_item(letter)
    if not item.slot then
      gone[#gone + 1] = letter
      for _, kind in ipairs({ 'm:', 'callbacks:', 'failures:' }) do keys[#keys + 1] = shard.root .. kind .. id_of(item.entry) end
    end
  end
  in_chunks('UNLINK', nil, keys)
  in_chunks('ZREM', key, gone)
  if #gone > 0 then
    counted(queue, 'discarded', #gone)
    letters.close(shard.root, key)
  end
  return #gone
end

-- The oldest of so many that are too many go: of a record in which the first hold their groups back none, so of the next.
local function discard_first(shard, queue, records, over)
  for _, key in ipairs(over > 0 and records or {}) do
    if discard(shard, queue, key, redis.call('ZRANGE', key, '0', digits(math.min(over, TRIMMED) - 1))) > 0 then return end
  end
end

-- Where a queue has more dead letters than are kept, the oldest go: never in silence, they are counted. So many have just died. Those
-- in parts are counted now and then, by chance that the clock gives, where there may be any that are too many.
local function trim_dead(shard, queue, died)
  local key, most = shard.root .. 'dead:' .. queue, kept_letters(shard)
  local length = redis.pcall('ZCARD', key)
  if type(length) ~= 'number' then return end
  local records, count = { key }, length
  if (length > most or most > letters.MOST) and math.floor(shard.now) % LOOK_EVERY_LETTERS < died then
    records = letters.records(shard.root, queue)
    for i = 1, #records - 1 do count = count + redis.call('ZCARD', records[i]) end
  end
  discard_first(shard, queue, records, count - most)
  if length > letters.MOST then letters.divide(shard.root, queue) end
end

-- Those that are older than a queue keeps them, a bounded number. Returns how many went.
local function discard_old(shard, queue, records)
  local _, ms = kept_letters(shard)
  for _, key in ipairs(records) do
    local range = { 'BYSCORE', 'LIMIT', '0', digits(TRIMMED) }
    local members = redis.pcall('ZRANGE', key, '-inf', digits(shard.now - ms), unpack(range))
    local count = members.err and 0 or discard(shard, queue, key, members)
    if count > 0 then return count end
  end
  return 0
end

-- Where a dead letter goes whose envelope, and with it its queue, is gone. No queue can have this name.
local NO_QUEUE = '-'

-- A message dies that may have a slot: the letter keeps it where its group is to be held back, in the words of its envelope, by
-- which it is looked for. Returns what is free then.
local function bury_with(buried, header, entry, slot)
  local held_back = slot and slot.mode == 'b'
  local kept = held_back and { pool = header.pool, lane = header.lane, mode = 'w' }
  buried[#buried + 1] = { queue = queue_of(header.lane), entry = with_slot(entry, kept) }
  return held_back and of_queue(slot) or slot
end

-- Adds { queue = , entry = } to the dead letters of their queues, in their order and behind all that have died in this call; where that
-- record takes no more, or has a wrong type, to those of no queue.
local function bury(shard, buried)
  local root, by_queue, order = shard.root, {}, {}
  for _, dead in ipairs(buried) do
    if not by_queue[dead.queue] then
      by_queue[dead.queue] = {}
      order[#order + 1] = dead.queue
    end
    local members = by_queue[dead.queue]
    members[#members + 1] = instant(shard.now + (shard.died or 0) * STEP)
    members[#members + 1] = dead.entry
    shard.died = (shard.died or 0) + 1
  end
  for _, queue in ipairs(order) do
    if attempt(put_members, root .. 'dead:' .. queue, by_queue[queue]) then
      if type(redis.pcall('ZCARD', root .. 'dead:' .. NO_QUEUE)) ~= 'number' then -- the key belongs to nobody else
        redis.call('RENAME', root .. 'dead:' .. NO_QUEUE, root .. 'damaged:dead:' .. NO_QUEUE)
      end
      put_members(root .. 'dead:' .. NO_QUEUE, by_queue[queue])
    end
  end
end

-- They are buried: counted, and where a queue has too many of them the oldest go, but those that hold their group back.
local function count_buried(shard, buried)
  local queues = {}
  for _, dead in ipairs(buried) do
    counted(dead.queue, 'dead')
    queues[dead.queue] = (queues[dead.queue] or 0) + 1
  end
  for queue, died in pairs(queues) do trim_dead(shard, queue, died) end
end
