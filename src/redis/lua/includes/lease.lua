-- lease: what one consumer holds, a list with the newest on the left. An item is an entry, and behind it '<pool> <lane> <mode>'
-- where the entry has a slot of its queue's limits, so that whoever takes it out of the lease can free the slot; a message
-- that was cancelled meanwhile ends in ' cancelled'.

-- Reads items into { raw =, entry =, slot = nil or { pool =, lane =, mode = }, cancelled = }.
local function read_item(raw)
  if not string.find(raw, ' ', 1, true) then return { raw = raw, entry = raw } end
  local entry, rest = string.match(raw, '^(%S+)(.*)$')
  if not entry then return { raw = raw, entry = raw } end
  local pool, lane, mode = string.match(rest, '^ (%S+) (%d:%S+) (%l)')
  return {
    raw = raw, entry = entry, cancelled = string.sub(rest, -10) == ' cancelled',
    slot = pool and { pool = pool, lane = lane, mode = mode },
  }
end

-- The same form for a dead letter that holds its group back.
local function with_slot(entry, slot)
  return slot and table.concat({ entry, slot.pool, slot.lane, slot.mode }, ' ') or entry
end

-- What a lease holds, as it stands there, from its left end; nil where its key has a wrong type.
local function read_raws(key)
  local raws = redis.pcall('LRANGE', key, '0', '-1')
  return not raws.err and raws or nil
end

-- The same as items.
local function read_lease(key)
  local raws, items = read_raws(key), {}
  for i, raw in ipairs(raws or {}) do items[i] = read_item(raw) end
  return raws and items
end
