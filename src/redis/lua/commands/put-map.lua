-- put-map: the map of the shards, as this one keeps it. A newer one takes the place of an older, and never the other way round.
--
-- KEYS[1]  string  map
-- KEYS[2]  hash    stats:totals  '^' has the epoch of the map, for sweeps, which read this hash anyway
-- Beyond   nothing: all its keys are declared
-- ARGV[1]  text    map           '<epoch> <JSON>'
-- ARGV[2]  number  epoch         the same epoch
-- Returns  the map that is stored now. It is another where that is as new, or newer: then nothing was written
-- Replay   puts the same
-- Cost     4 commands, 2 where another is stored
--          An error where storage refuses a write: the map is what it was

--- @include clock entry map

local stored = text_of(KEYS[1])
local before = epoch_in(stored)
if stored ~= ARGV[1] and before >= tonumber(ARGV[2]) then return stored end

-- The map is the last, for it alone counts. Where storage refuses even to have the epoch as it was, sweeps say none.
local refused = attempt(function()
  redis.call('HSET', KEYS[2], '^', ARGV[2])
  undo_by(function()
    local back = before > 0 and redis.pcall('HSET', KEYS[2], '^', digits(before))
    if type(back) ~= 'number' then redis.pcall('HDEL', KEYS[2], '^') end
  end)
  redis.call('SET', KEYS[1], ARGV[1])
end)
return refused and redis.error_reply(refused) or ARGV[1]
