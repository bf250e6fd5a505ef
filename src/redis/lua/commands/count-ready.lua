-- count-ready: how much waits in a pool, about, and which drains are at work on it: for whoever may start further ones.
--
-- KEYS[1]  zset    ready:<pool>  its lanes with work
-- KEYS[2]  string  drains        as claim-drains.lua writes it
-- KEYS[3]  hash    config        what operators set for queues
-- Beyond   lane:<lane>, part:<number>:<lane>, parts
-- ARGV[1]  text    root   what every key of the shard begins with
-- ARGV[2]  clock   clock  '' or epoch ms, in tests
-- ARGV[3]  number  looks  the lanes of which the length is told, the first ones
-- Returns  {how many lanes, {place of each drain at work}, {lane, length, what operators set for its queue or '', …}}
-- Replay   reads
-- Cost     6 commands, and 2 for each lane that it looks at; of divided ones 2 more for each part

--- @include clock entry at-work parts

local places, lanes, divided = {}, {}, redis.call('EXISTS', ARGV[1] .. 'parts') == 1

-- How many entries a lane has. What remains of a long one is mostly in its parts.
local function length_of(lane)
  if not divided then return redis.pcall('LLEN', ARGV[1] .. 'lane:' .. lane) end
  local length = 0
  for _, run in ipairs(long.runs_of(ARGV[1], lane)) do length = length + run.count end
  return length
end

for place in pairs(drains_at_work(KEYS[2], clock(ARGV[2]))) do places[#places + 1] = place end
for _, lane in ipairs(redis.call('ZRANGE', KEYS[1], '0', digits(tonumber(ARGV[3]) - 1))) do
  local length = length_of(lane)
  if type(length) == 'number' and length > 0 then
    lanes[#lanes + 1] = lane
    lanes[#lanes + 1] = digits(length)
    local set = redis.pcall('HGET', KEYS[3], queue_of(lane))
    lanes[#lanes + 1] = type(set) == 'string' and set or ''
  end
end
return { digits(redis.call('ZCARD', KEYS[1])), places, lanes }
