-- purge: takes messages of a queue out for good, a bounded number at a time. Leased ones stay with their consumers.
--
-- KEYS[1]  zset  timers
-- Beyond   blocked:<queue>, callbacks:<id>, dead:<queue>, dedup:<queue>:<digest>, failures:<id>, inflight, lane:<lane>,
--          m:<id>, part:<number>:<lane>, parts, rate:<period>:<name>, ready:<pool>, timers:<n>
-- ARGV[1]  text    root    what every key of the shard begins with
-- ARGV[2]  text    queue
-- ARGV[3]  number  limit   of messages in this call
-- ARGV[4]  text    states  of ready, delayed and dead, with blanks between
-- ARGV[5]  text    cursor  '0' begins; '<part of the lanes> <cursor of timers>', where '-' is one that is through, and in overflow '<n>:<cursor>'. The caller goes on with the one
--                          returned
-- Returns  {how many, next cursor, '1' if there may be more, '1' if that made work ready for a drain}
-- Replay   takes out what is left
-- Cost     about 8 commands and 1 for each 36 messages, 2 for each lane

--- @include clock entry lease foreign parts letters limits lanes overflow

-- Timers looked at in one call: so many steps of so many.
local TIMERS, TIMER_STEPS = 1000, 10
local shard = { root = ARGV[1], timers = KEYS[1], now = clock('') }
with_limits(shard)
local root, queue, limit, states = shard.root, ARGV[2], tonumber(ARGV[3]), ' ' .. ARGV[4] .. ' '
local lanes_at, timers_at = string.match(ARGV[5], '^(%S*) (%S+)$')
lanes_at, timers_at = lanes_at or '1:0', timers_at or '0'
local function asked(state) return string.find(states, ' ' .. state .. ' ', 1, true) end

-- All is read before anything is removed: `gone` are entries (of these `dead` ones), `removals` commands that take them out of where they are, and
-- `walks` the ways through lanes with parts.
local gone, removals, walks, dead, full = {}, {}, {}, {}, false

local function add_gone(text)
  if text and is_entry(text) then gone[#gone + 1] = text end
end

local function purge_ready()
  local lanes, next_part = lanes_of_queue(root, queue, lanes_at)
  local emptied = {}
  for _, lane in ipairs(lanes) do
    local room = limit - #gone
    local texts = full and {} or redis.pcall('LRANGE', root .. 'lane:' .. lane, digits(-room - 1), '-1')
    local nodes, walk
    if long.has_mark(texts) then
      walk = long.new_walk(lane)
      texts, nodes = long.read_on(root, walk, room + 1)
      walks[#walks + 1] = walk
    end
    local left = #texts > room
    if left and walk then long.read_again(walk, nodes[#nodes]) end
    if left then table.remove(texts, walk and #texts or 1) end
    for i, text in ipairs(texts) do
      add_gone(text)
      if walk then nodes[i].gone = nodes[i].gone + 1 end
    end
    if #texts > 0 and not walk then removals[#removals + 1] = { 'LTRIM', root .. 'lane:' .. lane, '0', digits(-#texts - 1) } end
    if not full and not left and not texts.err then emptied[#emptied + 1] = lane end
    full = full or left
  end
  for _, index in ipairs({ 'ready:*', 'ready:' .. queue, 'blocked:' .. queue }) do
    removals[#removals + 1] = { 'ZREM', root .. index, emptied }
  end
  -- Where lanes leave their indexes, this part is gone through again: not every server has cursors that stay what they were.
  if not full and #emptied == 0 then lanes_at = next_part == '' and '-' or next_part end
end

local function purge_dead()
  for _, key in ipairs(letters.records(root, queue)) do
    local members = full and {} or redis.call('ZRANGE', key, '0', digits(limit - #gone))
    full = full or #members > limit - #gone
    if #members > limit - #gone then table.remove(members) end
    for _, letter in ipairs(members) do
      local item = read_item(letter)
      add_gone(item.entry)
      dead[item.entry or ''] = true
      free(shard, item.slot)
    end
    removals[#removals + 1] = { 'ZREM', key, members }
  end
end

-- Where delayed messages are looked for behind timers, which have no number, or behind a record of overflow.
local function behind(number)
  for _, record in ipairs(overflow.records(shard)) do
    if record.number > number then return digits(record.number) .. ':0' end
  end
  return '-'
end

-- By ZSCAN: what is fired meanwhile would move the others to other ranks.
local function purge_delayed()
  local members, room, steps, key = {}, limit - #gone, TIMER_STEPS, nil
  repeat
    local number, at = string.match(timers_at, '^(%d+):(%d+)$')
    key = number and KEYS[1] .. ':' .. number or KEYS[1]
    local next_at, timers = scan_members(key, at or timers_at, '? * ?:' .. queue .. '*', TIMERS)
    for i = 1, #timers, 2 do
      local kind, of, lane, entry = string.match(timers[i], '^([mh]) (%S+) (%d:%S+) (%S+)$')
      if lane and queue_of(lane) == queue and #members < room then
        members[#members + 1] = timers[i]
        add_gone(entry)
        if kind == 'h' then free(shard, { pool = of, lane = lane, mode = 'w' }) end
      end
    end
    if #members == 0 and room > 0 then -- else it is gone through again
      timers_at = next_at == '0' and behind(tonumber(number or '0')) or (number and number .. ':' or '') .. next_at
    end
    steps = steps - 1
  until #members > 0 or timers_at == '-' or room == 0 or steps == 0
  removals[#removals + 1] = { 'ZREM', key, members }
end

if asked('ready') and lanes_at ~= '-' then purge_ready() end
if asked('dead') and not full then purge_dead() end
if asked('delayed') and not full and timers_at ~= '-' then purge_delayed() end
local more = full or (asked('ready') and lanes_at ~= '-') or (asked('delayed') and timers_at ~= '-')

local keys = {}
for i, entry in ipairs(gone) do keys[i] = root .. 'm:' .. id_of(entry) end
for _, entry in ipairs(gone) do
  if has_failed(entry) or dead[entry] then keys[#keys + 1] = root .. 'failures:' .. id_of(entry) end
end
local from = 0
while from < #gone do -- a dedup key must not outlive what never came to its end
  local rest = { unpack(gone, from + 1, math.min(from + READ, #gone)) }
  local envelopes = read_envelopes(root, rest, 9000000)
  for i, envelope in ipairs(envelopes) do
    local header = header_of(envelope)
    if header then end_dedup(keys, root, header, id_of(rest[i]), true) end
    if header and header.callbacks then keys[#keys + 1] = root .. 'callbacks:' .. id_of(rest[i]) end
  end
  from = from + #envelopes
end

for _, removal in ipairs(removals) do
  if type(removal[3]) == 'table' then in_chunks(removal[1], removal[2], removal[3]) else redis.call(unpack(removal)) end
end
for _, walk in ipairs(walks) do long.leave(root, walk.top) end
for _, removal in ipairs(removals) do letters.close(root, removal[2]) end
in_chunks('UNLINK', nil, keys)
unblock_freed(shard)
commit_limits(shard)
return { digits(#gone), lanes_at .. ' ' .. timers_at, more and '1' or '0', shard.work and '1' or '0' }
