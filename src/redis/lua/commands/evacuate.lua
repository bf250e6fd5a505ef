-- evacuate: what is to go to another shard leaves this one, and a parcel with all of it comes in its place, in one step. Only what is
-- as its caller has read it: else nothing is changed.
--
-- KEYS[1]  zset  timers
-- KEYS[2]  hash  schedules
-- KEYS[3]  list  stats
-- KEYS[4]  hash  stats:totals
-- KEYS[5]  hash  sources
-- KEYS[…]  what its caller knows of the others: m:<id>, failures:<id>, callbacks:<id> of the messages
-- Beyond   blocked:<queue>, callbacks:<id>, dead:<queue>, dedup:<queue>:<digest>, failures:<id>, inflight, lane:<lane>, m:<id>,
--          part:<number>:<lane>, parts, rate:<period>:<name>, ready:<pool>, stats:totals, timers:<n>
-- ARGV[1]  text    root    what every key of the shard begins with
-- ARGV[2]  clock   clock   '' or epoch ms, in tests
-- ARGV[3]  text    parcel  its id
-- ARGV[4]  number  length  how many arguments the segment of the parcel has
-- ARGV[…]  text…   claims  that segment, as admit.lua reads it, and behind it what leaves, each as it was read:
--                          'm', id, ready or delayed or dead, entry, 'h' where it keeps the slot of its group, envelope, how many
--                          arguments its callbacks are, and these; 's', id of a schedule, record; 'l', the first lines of stats, with line
--                          feeds between; 'f', queue, its counters in stats:totals; 'c', field of sources, count
-- Returns  {'evacuated' | 'repeated'}, or {'changed', for each 'same', 'changed', or 'held' or 'free' where only its slot is another}:
--          then nothing was done
--          An error where storage refuses the parcel: nothing was changed
-- Replay   'repeated' while the parcel is there; else 'changed'
-- Cost     about 8 commands, 5 for each message, 1 or 2 for each of the others

--- @include clock entry lease parts limits letters find admit overflow

local shard = { root = ARGV[1], timers = KEYS[1], now = clock(ARGV[2]) }
with_limits(shard)
local root = shard.root
if redis.call('EXISTS', root .. 'm:' .. ARGV[3]) == 1 then return { 'repeated' } end

local segment_end = 4 + tonumber(ARGV[4])
local claims, messages, entries = {}, {}, {}

local function read_message(at)
  local last = at + 6 + tonumber(ARGV[at + 6])
  local claim = {
    id = ARGV[at + 1], state = ARGV[at + 2], entry = ARGV[at + 3], held = ARGV[at + 4] == 'h', envelope = ARGV[at + 5],
    callbacks = table.concat({ unpack(ARGV, at + 7, last) }, '\n'),
  }
  messages[#messages + 1], entries[#entries + 1] = claim, claim.entry
  return claim, last + 1
end

local function read_claims(at)
  while at <= #ARGV do
    local kind, claim = ARGV[at], nil
    if kind == 'm' then
      claim, at = read_message(at)
    elseif kind == 'l' then
      claim, at = { text = ARGV[at + 1] }, at + 2
    else
      claim, at = { name = ARGV[at + 1], text = ARGV[at + 2] }, at + 3
    end
    claim.kind = kind
    claims[#claims + 1] = claim
  end
end
read_claims(segment_end + 1)

local read = 0
while read < #entries do
  local rest = {}
  for i = read + 1, math.min(read + CHUNK, #entries) do rest[#rest + 1] = entries[i] end
  local envelopes = read_envelopes(root, rest, 9000000)
  for i, envelope in ipairs(envelopes) do messages[read + i].stored = envelope end
  read = read + #envelopes
end

-- What is ready was read from the head of its lane, and mostly stands there still.
local HEAD = 2000
local looked, heads = {}, {}
local function locate_claimed(claim)
  if claim.state ~= 'ready' then return locate(shard, claim.id, looked, true) end
  local lane = string.match(claim.envelope, '^%S+')
  heads[lane] = heads[lane] or { times = 0, ends = { { list = 'lane:' .. lane, rank = '-1', most = HEAD } } }
  local place = locate(shard, claim.id, heads, true)
  if place.state == 'ready' then return place end
  return locate(shard, claim.id, looked, true)
end

local function check_message(claim)
  if claim.stored ~= claim.envelope then return 'changed' end
  local place = locate_claimed(claim)
  claim.place = place
  if place.state ~= claim.state or place.entry ~= claim.entry then return 'changed' end
  local callbacks = place.header.callbacks and redis.call('LRANGE', root .. 'callbacks:' .. claim.id, '0', '-1') or {}
  if table.concat(callbacks, '\n') ~= claim.callbacks then return 'changed' end
  if (place.slot ~= nil) ~= claim.held then return place.slot and 'held' or 'free' end
  return 'same'
end

-- Of hashes, by the kind of the claim.
local HASHES = { s = KEYS[2], f = KEYS[4], c = KEYS[5] }

local function check(claim)
  if claim.kind == 'm' then return check_message(claim) end
  if claim.kind ~= 'l' then return redis.call('HGET', HASHES[claim.kind], claim.name) == claim.text and 'same' or 'changed' end
  local _, feeds = string.gsub(claim.text, '\n', '')
  claim.count = feeds + 1
  return table.concat(redis.call('LRANGE', KEYS[3], '0', digits(feeds)), '\n') == claim.text and 'same' or 'changed'
end

local statuses, all_same = {}, true
for i, claim in ipairs(claims) do
  statuses[i] = check(claim)
  all_same = all_same and statuses[i] == 'same'
end
if not all_same then return { 'changed', statuses } end

local intake = new_intake()
admit(shard, intake, ARGV, 5, segment_end)
local refused = attempt(function()
  put_in(shard, intake)
  put_over(shard, intake)
end)
if refused then
  note_refusal(shard, refused)
  return redis.error_reply(refused)
end

local garbage, members, order, lanes = {}, {}, {}, {}
local function leave(claim)
  local id, place = claim.id, claim.place
  for _, kind in ipairs({ 'm:', 'failures:', 'callbacks:' }) do garbage[#garbage + 1] = root .. kind .. id end
  if place.key then
    if not members[place.key] then
      members[place.key] = {}
      order[#order + 1] = place.key
    end
    table.insert(members[place.key], place.member)
  end
  if place.state == 'ready' then
    redis.call('LREM', root .. place.list, place.from, place.entry)
    lanes[place.header.lane] = place.header.pool
  end
  free(shard, place.slot)
end

-- A lane that is empty now leaves wherever it stood.
local function leave_lane(lane, pool)
  local queue = queue_of(lane)
  long.close_parts(root, lane)
  if redis.call('EXISTS', root .. 'lane:' .. lane) == 1 then return end
  if redis.call('ZREM', root .. 'ready:' .. pool, lane) == 1 then
    return unblock_queue(shard, pool, queue, 1) -- another has its turn: what waits for the queue counts on it
  end
  redis.call('ZREM', root .. 'blocked:' .. queue, lane)
  redis.pcall('ZREM', root .. 'ready:' .. (pool == '*' and queue or '*'), lane) -- it became push or pull since
end

for _, claim in ipairs(claims) do
  if claim.kind == 'm' then
    leave(claim)
  elseif claim.kind == 'l' then
    redis.call('LTRIM', KEYS[3], digits(claim.count), '-1')
  else
    redis.call('HDEL', HASHES[claim.kind], claim.name)
    if claim.kind == 's' then redis.call('ZREM', shard.timers, 's ' .. claim.name) end
  end
end
for _, key in ipairs(order) do
  in_chunks('ZREM', key, members[key])
  letters.close(root, key)
end
in_chunks('UNLINK', nil, garbage)
for lane, pool in pairs(lanes) do leave_lane(lane, pool) end
unblock_freed(shard)
commit_limits(shard)
overflow.spill(shard) -- not before: what leaves is taken from where it was found
return { 'evacuated' }
