-- since: how long the next message of a lane has been here.

--- @include clock entry parts

-- The longest lane has 1,219 characters, and the header line of an envelope less than 300 more.
local HEADER_BYTES = 1500

-- The beginning of an envelope, with all of its header line; '' where there is none, or its key has a wrong type.
local function start_of_envelope(root, id)
  local start = redis.pcall('GETRANGE', root .. 'm:' .. id, '0', digits(HEADER_BYTES))
  return type(start) == 'string' and start or ''
end

-- When the next message of a lane was enqueued; nil where that cannot be told.
local function since_of_next(root, lane)
  local list = 'lane:' .. lane
  local entry = redis.pcall('LINDEX', root .. list, '-1')
  while entry == MARK do
    list = long.oldest_part(root, list, lane)
    entry = list and redis.call('LINDEX', root .. list, '-1')
  end
  local id = type(entry) == 'string' and id_of(entry)
  return id and tonumber(string.match(start_of_envelope(root, id), '^%S+ %S+ %d+ (%d+) ') or '') or nil
end
