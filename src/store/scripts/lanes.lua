-- lanes: the lanes of one queue, as far as a bounded look at the index finds them.

-- Lanes of the index looked at: with more of them (groups, other queues) the answer says that it is not complete.
local LANES = 1000

-- Returns the lanes of a queue that have entries, sorted, and whether these are all.
local function lanes_of_queue(root, pool, queue)
  local lanes, seen = {}, 0
  for _, key in ipairs({ root .. 'ready:' .. pool, root .. 'parked:' .. queue }) do
    local page = redis.call('ZRANGE', key, '0', digits(LANES - 1))
    seen = math.max(seen, #page)
    for _, lane in ipairs(page) do
      if lane ~= RESTRICTED and queue_of(lane) == queue then lanes[#lanes + 1] = lane end
    end
  end
  table.sort(lanes)
  return lanes, seen < LANES
end
