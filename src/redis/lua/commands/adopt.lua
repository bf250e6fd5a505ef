-- adopt: what another shard has evacuated comes in as it was, once per token, and never over what is here.
--
-- KEYS[1]  string  req:<token>  the parcel that it came in, once applied
-- KEYS[2]  zset    timers
-- KEYS[3]  string  awake        somebody is draining, or was just asked to
-- KEYS[4]  string  sleeper      the drain that sleeps, as wake.lua reads it
-- KEYS[5]  hash    schedules
-- KEYS[6]  list    stats
-- KEYS[7]  hash    sources
-- KEYS[…]  what its caller knows of the others: map, m:<id>, failures:<id>, callbacks:<id> of the messages
-- Beyond   callbacks:<id>, dead:<queue>, failures:<id>, inflight, lane:<lane>, m:<id>, map, part:<number>:<lane>, parts,
--          ready:<pool>, stats:totals, timers:<n>
-- ARGV[1]  text    root          what every key of the shard begins with
-- ARGV[2]  clock   clock         '' or epoch ms, in tests
-- ARGV[3]  text    token         of this call: the value of `awake` where the caller should start a drain
-- ARGV[4]  number  recognisedMs  how long a replay is recognised
-- ARGV[5]  number  awakeMs       life of `awake`; 0 where the caller cannot start a drain
-- ARGV[6]  number  withinMs      a delay up to this is worth waking a drain that sleeps until then
-- ARGV[7]  number  needsMs       what a delivery may take: a drain that sleeps has to live so much longer
-- ARGV[8]  text    epoch         of the map of the shards by which its caller chose this one
-- ARGV[…]  text…   moved         what comes: 'm', id, ready or delayed or dead, entry, 'h' where it keeps the slot of its group, due or dead
--                                since, failures, envelope, how many arguments its callbacks are, and these; 's', id of a schedule, record;
--                                and of the following one at most: 'l', up to 200 lines of stats, with line feeds between; 'c', how many
--                                pairs, and so many fields of sources, each with what is added to its count
-- Returns  {'adopted' | 'repeated', '1' if the caller should start a drain}
--          {'moved', epoch of the map} where that is newer: nothing was changed
--          An error where storage refuses a write: nothing was changed
-- Replay   'repeated'; nothing comes in twice, whatever map there is by now
-- Cost     7 commands, and for each message about 2, for each lane 2, and of each schedule 2

--- @include clock entry lane lease parts limits letters overflow map wake

local shard = { root = ARGV[1], timers = KEYS[2], now = clock(ARGV[2]) }
with_limits(shard)
local root, looking = shard.root, { awake = KEYS[3], sleeper = KEYS[4] }
local function ask() return waking.ask(shard, looking, ARGV[3], ARGV[5], ARGV[6], ARGV[7]) end

if redis.call('EXISTS', KEYS[1]) == 1 then
  shard.work = redis.call('EXISTS', root .. 'ready:*') == 1
  return { 'repeated', ask() }
end
local epoch = epoch_in(text_of(root .. 'map'))
if epoch > tonumber(ARGV[8]) then return { 'moved', digits(epoch) } end

local moves, timers, buried, order, held = {}, {}, {}, {}, {}

local function put_text(key, text)
  if not redis.call('SET', key, text, 'NX') then return false end
  undo_by(function() redis.pcall('UNLINK', key) end)
  return true
end

local function put_dead(queue, score, letter)
  if not buried[queue] then
    buried[queue] = {}
    order[#order + 1] = queue
  end
  table.insert(buried[queue], score)
  table.insert(buried[queue], letter)
end

-- Returns where the next one begins. Its entry comes with those of the others.
local function put_message(at)
  local id, state, entry, failures, envelope = ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 6], ARGV[at + 7]
  local last = at + 8 + tonumber(ARGV[at + 8])
  local header = header_of(envelope)
  if not header or not put_text(root .. 'm:' .. id, envelope) then return last + 1 end
  if failures ~= '' then put_text(root .. 'failures:' .. id, failures) end
  if last > at + 8 then
    local key = root .. 'callbacks:' .. id
    undo_by(function() redis.pcall('UNLINK', key) end)
    redis.call('UNLINK', key)
    in_chunks('RPUSH', key, { unpack(ARGV, at + 9, last) })
  end
  local slot = ARGV[at + 4] == 'h' and { pool = header.pool, lane = header.lane, mode = 'w' } or nil
  if slot then held[#held + 1] = slot end
  if state == 'ready' then
    gather(moves, header.pool, header.lane, 'LPUSH', entry)
  elseif state == 'dead' then
    put_dead(queue_of(header.lane), ARGV[at + 5], with_slot(entry, slot))
  else
    local member = delayed(header.pool, header.lane, entry)
    timers[#timers + 1] = ARGV[at + 5]
    timers[#timers + 1] = slot and 'h' .. string.sub(member, 2) or member
    if header.pool == '*' then shard.soonest = math.min(shard.soonest or math.huge, tonumber(ARGV[at + 5])) end
  end
  return last + 1
end

local function put_schedule(id, record)
  if redis.call('HSETNX', KEYS[5], id, record) == 0 then return end
  undo_by(function() redis.pcall('HDEL', KEYS[5], id) end)
  local due = string.match(record, '^(%d+) active ')
  if due then put_members(KEYS[2], { due, 's ' .. id }) end
end

-- Neither lines nor sums can be taken back: they come in one command, behind the record of the call.
local counting
local function count_lines(text)
  local lines = { 'RPUSH', KEYS[6] }
  for line in string.gmatch(text, '[^\n]+') do lines[#lines + 1] = line end
  counting = #lines > 2 and lines or nil
end

local function count_sources(from, last)
  local fields, sums = {}, { 'HSET', KEYS[7] }
  for at = from, last, 2 do fields[#fields + 1] = ARGV[at] end
  if #fields == 0 then return end
  for i, before in ipairs(redis.call('HMGET', KEYS[7], unpack(fields))) do
    sums[#sums + 1] = fields[i]
    sums[#sums + 1] = digits((tonumber(before or '') or 0) + tonumber(ARGV[from + 2 * i - 1]))
  end
  counting = sums
end

local function put_items(at)
  while at <= #ARGV do
    local kind = ARGV[at]
    if kind == 'm' then
      at = put_message(at)
    elseif kind == 's' then
      put_schedule(ARGV[at + 1], ARGV[at + 2])
      at = at + 3
    elseif kind == 'l' then
      count_lines(ARGV[at + 1])
      at = at + 2
    else
      local last = at + 1 + 2 * tonumber(ARGV[at + 1])
      count_sources(at + 2, last)
      at = last + 1
    end
  end
end

-- Slots count before what has them is there: else others of its group would go before it.
local function count_held(by)
  for _, slot in ipairs(held) do move_count(shard, slot.lane, slot.mode, by) end
  commit_limits(shard, by > 0)
end

local refused = attempt(function()
  put_items(9)
  count_held(1)
  undo_by(function() count_held(-1) end)
  for _, queue in ipairs(order) do put_members(root .. 'dead:' .. queue, buried[queue]) end
  put_all(shard, moves)
  overflow.put(shard, timers)
  redis.call('SET', KEYS[1], 'adopted', 'PX', ARGV[4])
  undo_by(function() redis.pcall('UNLINK', KEYS[1]) end)
  if counting then redis.call(unpack(counting)) end
end)
if refused then
  note_refusal(shard, refused)
  return redis.error_reply(refused)
end

long.divide(shard)
overflow.spill(shard)
for _, queue in ipairs(order) do
  if redis.call('ZCARD', root .. 'dead:' .. queue) > letters.MOST then letters.divide(root, queue) end
end
return { 'adopted', ask() }
