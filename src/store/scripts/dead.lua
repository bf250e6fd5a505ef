-- dead: failures of a message, and the end of those that will not be tried again.

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

local function record_failures(shard, failures)
  for from = 1, #failures, CHUNK / 2 do
    local to = math.min(from + CHUNK / 2 - 1, #failures)
    local ids, fields = {}, {}
    for i = from, to do ids[#ids + 1] = failures[i].id end
    local earlier = redis.pcall('HMGET', shard.failures, unpack(ids))
    if earlier.err then return end -- a key of a wrong type costs the texts, not the messages
    for i = from, to do
      fields[#fields + 1] = failures[i].id
      fields[#fields + 1] = keep_last(earlier[i - from + 1], failures[i].line)
    end
    redis.call('HSET', shard.failures, unpack(fields))
  end
end

-- Where a dead letter goes whose envelope, and with it its queue, is gone. No queue can have this name.
local NO_QUEUE = '-'

-- A message dies that may have a slot: the letter keeps it where its group is to be held back, in the words of its envelope, by
-- which it is looked for. Returns the slot to free.
local function bury_with(shard, buried, header, entry, slot)
  local held_back = slot and slot.mode == 'b'
  local kept = held_back and { pool = header.pool, lane = header.lane, mode = 'w' }
  buried[#buried + 1] = { queue = queue_of(header.lane), entry = with_slot(entry, kept) }
  if not held_back then return slot end
  keep_group(shard, slot)
end

-- Adds { queue = , entry = } to the dead letters of their queues; where that key has a wrong type, to those of no queue.
local function bury(shard, buried)
  local root = shard.root
  local by_queue, order = {}, {}
  for _, dead in ipairs(buried) do
    counted(dead.queue, 'dead')
    if not by_queue[dead.queue] then
      by_queue[dead.queue] = {}
      order[#order + 1] = dead.queue
    end
    local members = by_queue[dead.queue]
    members[#members + 1] = digits(shard.now)
    members[#members + 1] = dead.entry
  end
  for _, queue in ipairs(order) do
    local known = type(redis.pcall('ZCARD', root .. 'dead:' .. queue)) == 'number'
    -- Nothing may fail here: entries have left their lanes. Of these dead letters the key belongs to nobody else.
    if (not known or queue == NO_QUEUE) and type(redis.pcall('ZCARD', root .. 'dead:' .. NO_QUEUE)) ~= 'number' then
      redis.call('RENAME', root .. 'dead:' .. NO_QUEUE, root .. 'damaged:dead:' .. NO_QUEUE)
    end
    in_chunks('ZADD', root .. 'dead:' .. (known and queue or NO_QUEUE), by_queue[queue])
  end
end
