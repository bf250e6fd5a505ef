-- cancel: a message that is not wanted any more is never given out again.
--
-- KEYS[1]  zset  timers
-- KEYS[…]  what its caller knows of the others: m:<id>, failures:<id>, callbacks:<id>
-- Beyond   blocked:<queue>, dead:<queue>, dedup:<queue>:<digest>, inflight, lane:<lane>, lease:<lease>, part:<number>:<lane>,
--          parts, rate:<period>:<name>, ready:<pool>, timers:<n>
-- ARGV[1]  text  root  what every key of the shard begins with
-- ARGV[2]  text  id
-- ARGV[3]  text  cursor  '' begins; else only its consumer is looked for, where an earlier call has left off: '<cursor> <queue>'
-- Returns  {where it was, '1' if that made work ready for a drain, next cursor or ''}: 'ready', 'delayed' or 'dead', and is gone now;
--          'leased' where a consumer holds it: it may still finish, but will not get the message again; 'unseen' where the lane is too
--          long to tell ready from leased; 'gone' where there is no such message. Its consumer learns of it with its next sync, when
--          the caller has gone on to the last cursor
-- Replay   'gone', or for a leased one the same answer
-- Cost     6 to 14 commands, and for a leased one 1 for each 200 timers and for each lease that may hold it, until it is found: some
--          thousands in a call; looks at no more than 2 × 10,000 entries of the lane

--- @include clock entry lease parts leases limits letters find

local shard = { root = ARGV[1], timers = KEYS[1], now = clock('') }
with_limits(shard)

-- Marks the message in the lease that holds it. Its queue is not known any more where it was cancelled before.
local function tell_consumer(id, from, queue)
  local cursor = go_through(shard.timers, from, 'l *', function(member)
    local lease = string.sub(member, 3)
    if not may_hold(lease, queue) then return 0 end
    local key = shard.root .. 'lease:' .. lease
    local raws = read_raws(key) or {}
    for place, raw in ipairs(raws) do
      if string.find(raw, id, 1, true) and id_of(read_item(raw).entry) == id then
        if not read_item(raw).cancelled then redis.pcall('LSET', key, digits(place - 1), raw .. ' cancelled') end
        return true
      end
    end
    return 1 + #raws
  end)
  return cursor == '' and '' or cursor .. ' ' .. (queue or '')
end

-- How long a tombstone stays: longer than any wait but a pause.
local TOMBSTONE_MS = 30 * 86400000

local root, id = ARGV[1], ARGV[2]
local from, of = string.match(ARGV[3], '^(%d+) (.*)$')
if from then return { 'leased', '0', tell_consumer(id, from, of ~= '' and of or nil) } end
local key, place = root .. 'm:' .. id, locate(shard, id)
if place.state == 'cancelled' then return { 'leased', '0', tell_consumer(id, '0') } end
if place.state == 'gone' then return { 'gone', '0', '' } end
if place.state == 'damaged' then return redis.error_reply('WRONGTYPE where the message may be') end

local lane = place.header.lane
local garbage = { key, root .. 'failures:' .. id, place.header.callbacks and root .. 'callbacks:' .. id or nil }
end_dedup(garbage, root, place.header, id, true) -- it never came to its end: the next with its key is welcome
if place.state == 'leased' or place.state == 'unseen' then
  redis.call('SET', key, TOMBSTONE, 'PX', digits(TOMBSTONE_MS))
  table.remove(garbage, 1)
  in_chunks('UNLINK', nil, garbage)
  return { place.state, '0', tell_consumer(id, '0', queue_of(lane)) }
end
if place.key then
  redis.call('ZREM', place.key, place.member)
  letters.close(root, place.key)
end
in_chunks('UNLINK', nil, garbage) -- before the index, which may be of a wrong type: a sweep mends that
if place.state == 'ready' then
  redis.call('LREM', root .. place.list, place.from, place.entry)
  if place.list ~= 'lane:' .. lane then long.close_parts(root, lane) end
  if redis.call('EXISTS', root .. 'lane:' .. lane) == 0 then
    if redis.call('ZREM', root .. 'ready:' .. place.header.pool, lane) == 1 then
      unblock_queue(shard, place.header.pool, queue_of(lane), 1) -- another has its turn: what waits for the queue counts on it
    else
      local queue = queue_of(lane)
      redis.call('ZREM', root .. 'blocked:' .. queue, lane)
      redis.pcall('ZREM', root .. 'ready:' .. (place.header.pool == '*' and queue or '*'), lane) -- it became push or pull since
    end
  end
end
free(shard, place.slot)
unblock_freed(shard)
commit_limits(shard)
return { place.state, shard.work and '1' or '0', '' }
