-- noted: what sweeps leave in the hash of totals, beside the counters: when one ran ('!'), where the next of a new isolate goes on
-- ('@', '<cursor> <round>'), which queues there ever were ('?<queue>' → its pool), and which versions of the schedules in code were
-- registered ('=', as get-schedules.lua writes it), and the number of the stored format ('#'). The epoch of the map of the shards ('^')
-- is there where put-map.lua has written it. No queue has such a name.

--- @include entry counters

-- What the last sweep that was noted left, where that is asked for, and the round of the sweep behind this one: each minute is one, also
-- where none was noted in it. `is_old`: it is time for another note; `is_hourly`: for what is done once an hour, such as to look
-- whether all is registered.
local function last_noted(shard, cursor, round, asks)
  local last, rounds = { at = 0, cursor = cursor, registered = '-', in_new_isolate = cursor == '?' }, 1
  local OLD_MS, HOUR = 570000, 60 -- a tick comes each minute, so that is every tenth
  if asks then
    local fields = redis.pcall('HMGET', shard.root .. 'stats:totals', '!', '@', '=', '#', '^')
    if fields.err then fields = {} end
    last.swept, last.format, last.epoch = fields[1], fields[4], fields[5]
    last.at, last.registered = tonumber(fields[1] or '0') or 0, fields[3] or ''
    if last.in_new_isolate then
      local place, number = string.match(fields[2] or '', '^(%d+) (%d+)$')
      last.cursor, round = place or '0', tonumber(number or '0')
      if last.at > 0 then rounds = math.max(1, math.min(HOUR, math.floor((shard.now - last.at) / MINUTE_MS))) end
    end
  end
  last.round, last.next_round = round, round + rounds
  last.is_old = asks and math.abs(shard.now - last.at) >= OLD_MS -- a clock may have been ahead
  last.is_hourly = cursor ~= '' and math.floor(last.next_round / HOUR) > math.floor(round / HOUR)
  if last.is_hourly then last.registered = '' end
  return last
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
