-- map: which shards there are and what stands where, as each of them keeps it: '<epoch> <JSON>'. Scripts read the epoch alone.

-- 0 where no map is stored.
local function epoch_in(map)
  return tonumber(string.match(map, '^%d+') or '0')
end
