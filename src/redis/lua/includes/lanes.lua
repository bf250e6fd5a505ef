-- lanes: the lanes of one queue, found by going on through the indexes with a cursor.
--
-- They may stand in the shared index or in one of the queue's own, whatever the deployment says by now, and among those that are
-- blocked. Where one stands moves with each turn, so indexes are gone through by ZSCAN, which misses none that stays.

--- @include clock entry

-- Steps of one call, of about so many lanes each, whosever they are.
local STEPS, STEP = 10, 1000

-- A page of a sorted set. A cursor that Redis does not know, as somebody made it up, is at the end.
local function scan_members(key, cursor, pattern, count)
  local page = redis.pcall('ZSCAN', key, cursor, 'MATCH', pattern, 'COUNT', digits(count))
  if not page.err then return page[1], page[2] end
  if string.find(page.err, 'cursor', 1, true) then return '0', {} end
  error(page.err)
end

-- Returns some lanes of the queue, sorted, and where to go on: '' at the end. `at` is '<place>:<cursor>', '' begins.
local function lanes_of_queue(root, queue, at)
  local places = { root .. 'ready:*', root .. 'ready:' .. queue, root .. 'blocked:' .. queue }
  local place, cursor = string.match(at, '^(%d):(%d+)$')
  place = tonumber(place or '1')
  cursor = cursor or '0'
  local lanes, seen = {}, {}
  for _ = 1, STEPS do
    local next_cursor, members = scan_members(places[place], cursor, '?:' .. queue .. '*', STEP)
    for i = 1, #members, 2 do
      local lane = members[i]
      if queue_of(lane) == queue and not seen[lane] then
        lanes[#lanes + 1], seen[lane] = lane, true
      end
    end
    cursor = next_cursor
    if cursor == '0' then place = place + 1 end
    if place > #places then break end
  end
  table.sort(lanes)
  return lanes, place <= #places and digits(place) .. ':' .. cursor or ''
end
