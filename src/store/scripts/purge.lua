-- purge: takes messages of a queue out for good, a bounded number at a time. Leased ones stay with their consumers.
--
-- KEYS[1]  zset  timers
-- KEYS[2]  hash  failures
-- ARGV[1]  root   what every key of the shard begins with
-- ARGV[2]  queue
-- ARGV[3]  pool
-- ARGV[4]  limit  of messages in this call
-- ARGV[5]  states of ready, delayed and dead, with blanks between
-- ARGV[6]  cursor rank among the timers, '0' begins; the caller goes on with the one returned
-- Returns  {how many, next cursor, '1' if there may be more, '1' if that made work ready for a drain}
-- Replay   takes out what is left
-- Cost     about 5 commands and 1 for each 100 messages, 2 for each lane

local TIMERS = 1000
local shard = { root = ARGV[1], timers = KEYS[1], failures = KEYS[2], now = clock('') }
with_limits(shard, '')
local root, queue, limit, states = shard.root, ARGV[2], tonumber(ARGV[4]), ' ' .. ARGV[5] .. ' '
local cursor, gone, more = tonumber(ARGV[6]), {}, false
local function asked(state) return string.find(states, ' ' .. state .. ' ', 1, true) end

if asked('ready') then
  local lanes, complete = lanes_of_queue(root, ARGV[3], queue)
  local emptied = {}
  for _, lane in ipairs(lanes) do
    if #gone < limit then
      local key = root .. 'lane:' .. lane
      local reply = redis.call('LMPOP', '1', key, 'RIGHT', 'COUNT', digits(limit - #gone))
      for _, entry in ipairs(reply and reply[2] or {}) do gone[#gone + 1] = entry end
      if redis.call('EXISTS', key) == 0 then emptied[#emptied + 1] = lane end
    end
  end
  in_chunks('ZREM', root .. 'ready:' .. ARGV[3], emptied)
  in_chunks('ZREM', root .. 'parked:' .. queue, emptied)
  more = #emptied < #lanes or (not complete and #lanes > 0)
end

if asked('dead') and #gone < limit then
  local letters = redis.call('ZRANGE', root .. 'dead:' .. queue, '0', digits(limit - #gone - 1))
  for _, letter in ipairs(letters) do
    local item = read_item(letter)
    gone[#gone + 1] = item.entry
    free(shard, item.slot)
  end
  in_chunks('ZREM', root .. 'dead:' .. queue, letters)
  more = more or #letters > 0
end

if asked('delayed') and #gone < limit then
  local members, removed = redis.call('ZRANGE', KEYS[1], digits(cursor), digits(cursor + TIMERS - 1)), {}
  for _, member in ipairs(members) do
    local kind, of, lane, entry = string.match(member, '^([mh]) (%S+) (%d:%S+) (%S+)$')
    if lane and queue_of(lane) == queue and #gone < limit then
      removed[#removed + 1] = member
      gone[#gone + 1] = entry
      if kind == 'h' then free(shard, { pool = of, lane = lane, mode = 'w' }) end
    end
  end
  in_chunks('ZREM', KEYS[1], removed)
  more = more or #members == TIMERS or #gone == limit
  if #gone < limit then cursor = cursor + #members - #removed end
end

local keys, ids = {}, {}
for i, entry in ipairs(gone) do keys[i], ids[i] = root .. 'm:' .. id_of(entry), id_of(entry) end
local from = 0
while from < #gone do -- a dedup key must not outlive what never came to its end
  local rest = { unpack(gone, from + 1, math.min(from + READ, #gone)) }
  local headers = read_envelopes(root, rest, 9000000)
  for i, envelope in ipairs(headers) do
    local header = header_of(envelope)
    if header then end_dedup(keys, root, header, id_of(rest[i]), true) end
    if header and header.follow then keys[#keys + 1] = root .. 'then:' .. id_of(rest[i]) end
  end
  from = from + #headers
end
in_chunks('UNLINK', nil, keys)
in_chunks('HDEL', KEYS[2], ids)
unpark_freed(shard)
commit_limits(shard)
return { digits(#gone), digits(cursor), (more or #gone == limit) and '1' or '0', shard.work and '1' or '0' }
