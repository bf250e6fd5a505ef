-- leases: going through all leases, a bounded part in each call. Their timers tell which there are.

--- @include clock entry lane lease

-- Timers on a page. A call goes on with pages until it has looked at so much, some 20 ms: a lease, and each message that it reads, is
-- one, a page as much as some of them.
local TIMERS_ON_PAGE, PAGE_IS, MOST_LOOKED_AT = '200', 20, 10000

-- Whether a lease may hold messages of a queue: that of a consumer elsewhere is named by the queues that it is for.
local function may_hold(lease, queue)
  return not queue or not string.find(lease, '~', 1, true) or string.find(lease .. '~', '~' .. queue .. '~', 1, true) ~= nil
end

-- Calls `see` with each timer on the next pages, until it has answered true or what it has looked at adds up: it answers how much that
-- was. Returns where to go on; '' at the end. A cursor that Redis does not know, as somebody made it up, is at the end.
local function go_through(timers, cursor, pattern, see)
  local looked = 0
  repeat
    local page = redis.pcall('ZSCAN', timers, cursor, 'MATCH', pattern, 'COUNT', TIMERS_ON_PAGE)
    if page.err then return '' end
    cursor, looked = page[1], looked + PAGE_IS
    for i = 1, #page[2], 2 do
      local seen = see(page[2][i])
      if seen == true then return '' end
      looked = looked + seen
    end
  until cursor == '0' or looked >= MOST_LOOKED_AT
  return cursor == '0' and '' or cursor
end
