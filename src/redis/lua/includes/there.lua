-- there: which of many keys there are, in few commands where few of them are.

--- @include entry

-- How many of these keys there are.
local function count_there(keys)
  local count = 0
  for from = 1, #keys, CHUNK do
    count = count + redis.call('EXISTS', unpack(keys, from, math.min(from + CHUNK - 1, #keys)))
  end
  return count
end

-- Where more than one in so many are there, halving the list would cost more than asking for each.
local SPARSE = 8

-- Adds to `found` those of keys[from … to] that are there, `count` of them. A key that has not been asked for by itself may be
-- among them where many are there: whoever reads it finds it empty.
local function find_there(keys, from, to, count, found)
  if count == 0 then return end
  if count * SPARSE > to - from + 1 then
    for i = from, to do found[#found + 1] = keys[i] end
    return
  end
  local middle = math.floor((from + to) / 2)
  local lower = count_there({ unpack(keys, from, middle) })
  find_there(keys, from, middle, lower, found)
  find_there(keys, middle + 1, to, count - lower, found)
end

-- Those of up to CHUNK keys that are there, or may be.
local function those_there(keys)
  local found = {}
  find_there(keys, 1, #keys, count_there(keys), found)
  return found
end
