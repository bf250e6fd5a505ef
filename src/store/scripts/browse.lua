-- browse: a page of a queue's messages in one state.
--
-- KEYS[1]  zset  timers
-- KEYS[2]  hash  failures
-- ARGV[1]  root   what every key of the shard begins with
-- ARGV[2]  queue
-- ARGV[3]  pool
-- ARGV[4]  state  ready, delayed, leased or dead
-- ARGV[5]  limit  of messages on the page
-- ARGV[6]  cursor '' begins; for ready '<lane> <how many from its head>', else a rank
-- Returns  {next cursor or '', {entry, due or dead since or '', envelope, failures, …}}. A page may have fewer than the limit,
--          or none, and still not be the last
-- Replay   reads only. What moves between two pages may come twice or not at all
-- Cost     5 commands and one for each 36 messages; for leased 1 for each of 100 leases looked at

local TIMERS, LEASES = 1000, 100
local root, queue, limit, cursor = ARGV[1], ARGV[2], tonumber(ARGV[5]), ARGV[6]

local function ready_page()
  local lanes = lanes_of_queue(root, ARGV[3], queue)
  local from, skip = string.match(cursor, '^(%S+) (%d+)$')
  skip = tonumber(skip or '0')
  for i, lane in ipairs(lanes) do
    if not from or lane >= from then
      if lane ~= from then skip = 0 end
      local entries = redis.call('LRANGE', root .. 'lane:' .. lane, digits(-skip - limit), digits(-skip - 1))
      local page = {}
      for e = #entries, 1, -1 do page[#page + 1] = { entries[e], '' } end
      if #page > 0 then
        local more = #page == limit and lane .. ' ' .. digits(skip + limit) or lanes[i + 1] and lanes[i + 1] .. ' 0' or ''
        return more, page
      end
    end
  end
  return '', {}
end

local function timers_page()
  local from, page = tonumber(cursor ~= '' and cursor or '0'), {}
  local members = redis.call('ZRANGE', KEYS[1], digits(from), digits(from + TIMERS - 1), 'WITHSCORES')
  for i = 1, #members, 2 do
    local lane, entry = string.match(members[i], '^[mh] %S+ (%d:%S+) (%S+)$')
    if lane and queue_of(lane) == queue then page[#page + 1] = { entry, members[i + 1] } end
    if #page == limit then return digits(from + (i + 1) / 2), page end
  end
  return #members == 2 * TIMERS and digits(from + TIMERS) or '', page
end

local function leases_page()
  local from, page, leases = tonumber(cursor ~= '' and cursor or '0'), {}, 0
  local members = redis.call('ZRANGE', KEYS[1], digits(from), digits(from + TIMERS - 1), 'WITHSCORES')
  for i = 1, #members, 2 do
    local lease = string.match(members[i], '^l (%S+)$')
    if lease then
      leases = leases + 1
      for _, item in ipairs(read_lease(root .. 'lease:' .. lease) or {}) do
        page[#page + 1] = { item.entry, members[i + 1] }
      end
    end
    if #page >= limit or leases == LEASES then return digits(from + (i + 1) / 2), page end
  end
  return #members == 2 * TIMERS and digits(from + TIMERS) or '', page
end

local function dead_page()
  local from, page = tonumber(cursor ~= '' and cursor or '0'), {}
  local letters = redis.call('ZRANGE', root .. 'dead:' .. queue, digits(from), digits(from + limit - 1), 'WITHSCORES')
  for i = 1, #letters, 2 do page[#page + 1] = { read_item(letters[i]).entry, letters[i + 1] } end
  return #page == limit and digits(from + limit) or '', page
end

local pages = { ready = ready_page, delayed = timers_page, leased = leases_page, dead = dead_page }
local more, page = pages[ARGV[4]]()
local entries, ids, answer = {}, {}, {}
for i, item in ipairs(page) do entries[i], ids[i] = item[1], id_of(item[1]) end
if #entries == 0 then return { more, answer } end
local envelopes = read_envelopes(root, entries, 4000000)
local failures = redis.call('HMGET', KEYS[2], unpack(ids))
for i, item in ipairs(page) do
  local header = header_of(envelopes[i])
  if ARGV[4] ~= 'leased' or (header and queue_of(header.lane) == queue) then
    for _, field in ipairs({ item[1], item[2], envelopes[i] or '', failures[i] or '' }) do answer[#answer + 1] = field end
  end
end
return { more, answer }
