-- noted: what sweeps leave in the hash of totals, beside the figures: when one ran ('!'), where the next of a new isolate goes on
-- ('@', '<cursor> <round>'), and which queues there ever were ('?<queue>' → its pool). No queue has such a name.

-- Where the last sweep that was noted stood: the cursor of its next page, and its round.
local function place_noted(root)
  local place = redis.pcall('HGET', root .. 'stats:totals', '@')
  local cursor, round = string.match(type(place) == 'string' and place or '', '^(%d+) (%d+)$')
  return cursor or '0', tonumber(round or '0')
end

-- Of queues that only storage knows, those that are not remembered yet: as fields of the hash, with their pools.
local function unremembered(shard)
  local names, fields = {}, {}
  for queue in pairs(shard.strangers) do
    if #names < CHUNK then names[#names + 1] = '?' .. queue end
  end
  local known = #names > 0 and redis.pcall('HMGET', shard.root .. 'stats:totals', unpack(names)) or {}
  for i = 1, known.err and 0 or #names do
    if not known[i] then
      fields[#fields + 1], fields[#fields + 2] = names[i], shard.strangers[string.sub(names[i], 2)]
    end
  end
  return fields
end

-- Writes such fields, and never raises.
local function write_noted(root, fields)
  try_in_chunks('HSET', root .. 'stats:totals', fields)
end
