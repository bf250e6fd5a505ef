-- redrive: dead letters go back to the tails of their lanes, with attempt 1 and their failures kept; one that holds its group
-- back goes to the head, and lets the group go on.
--
-- KEYS[1]  zset  timers
-- KEYS[…]  what its caller knows of the others: dead:<queue>, dead:-, m:<id> and failures:<id> of these
-- Beyond   blocked:<queue>, dead:<queue>, inflight, lane:<lane>, part:<number>:<lane>, parts, rate:<period>:<name>, ready:<pool>,
--          stats:totals
-- ARGV[1]  text   root   what every key of the shard begins with
-- ARGV[2]  clock  clock  '' or epoch ms, in tests
-- ARGV[3]  text   queue
-- ARGV[4]  text   pool   of the queue as it is defined now; '' where that is not known
-- ARGV[…]  text…  ids    ids, at most 200; one that is named twice moves once
-- Returns  for each id 'redriven', 'gone' where it is not among the dead letters, 'missing' where it has no envelope
-- Replay   'gone' for what was redriven; nothing moves twice
-- Cost     6 commands and 2 for each lane; where some are not found, 2 more, and of each part of the dead letters as many again

--- @include clock entry lane lease parts letters limits find

local shard = { root = ARGV[1], timers = KEYS[1], now = clock(ARGV[2]) }
with_limits(shard)
local root = shard.root
local dead = root .. 'dead:' .. ARGV[3]
local ids, asked, known = {}, {}, {}
for i = 5, #ARGV do
  local id = ARGV[i]
  if not known[id] then
    ids[#ids + 1] = id
    known[id] = #ids
  end
  asked[#asked + 1] = known[id]
end

local headers, read = {}, 0
while read < #ids do
  local rest = {}
  for i = read + 1, #ids do rest[#rest + 1] = '1.' .. ids[i] end
  local envelopes = read_envelopes(root, rest, 1000000)
  for i, envelope in ipairs(envelopes) do headers[read + i] = header_of(envelope) or false end
  read = read + #envelopes
end

local candidates, owner = {}, {}
for i, lines in ipairs(failures_of(root, ids)) do
  for _, entry in ipairs(entries_of(lines, ids[i], headers[i])) do
    local header = headers[i]
    local slot = header and { pool = header.pool, lane = header.lane, mode = 'w' }
    for _, candidate in ipairs({ { entry }, slot and { with_slot(entry, slot), slot } or nil }) do
      candidates[#candidates + 1] = candidate[1]
      owner[#owner + 1] = { i = i, slot = candidate[2] }
    end
  end
end

local answers, moves, moved, slots = {}, {}, {}, {}
for i in ipairs(ids) do answers[i] = 'gone' end

local function all_found()
  for _, answer in ipairs(answers) do
    if answer == 'gone' then return false end
  end
  return true
end

-- Those of the candidates that stand among some dead letters.
local function look_among(key)
  if moved[key] or all_found() then return end
  moved[key] = {}
  for from = 1, #candidates, CHUNK do
    local to = math.min(from + CHUNK - 1, #candidates)
    for c, score in ipairs(redis.call('ZMSCORE', key, unpack(candidates, from, to))) do
      local entry, i, slot = candidates[from + c - 1], owner[from + c - 1].i, owner[from + c - 1].slot
      if score and answers[i] == 'gone' then
        if headers[i] then table.insert(moved[key], entry) end
        answers[i], slots[i] = headers[i] and 'redriven' or 'missing', slot
      end
    end
  end
end

look_among(dead)
look_among(root .. 'dead:-') -- what its queue could not keep
for _, key in ipairs(all_found() and {} or letters.parts(root, { ARGV[3], '-' })) do look_among(key) end
for i, id in ipairs(ids) do
  if answers[i] == 'redriven' then
    gather(moves, ARGV[4] ~= '' and ARGV[4] or headers[i].pool, headers[i].lane, slots[i] and 'RPUSH' or 'LPUSH', '1r.' .. id)
    free(shard, slots[i])
  end
end
local refused = attempt(put_all, shard, moves)
if refused then
  note_refusal(shard, refused)
  return redis.error_reply(refused)
end
for key, members in pairs(moved) do
  in_chunks('ZREM', key, members)
  if #members > 0 then letters.close(root, key) end
end
long.divide(shard)
unblock_freed(shard)
commit_limits(shard)

local told = {}
for i, place in ipairs(asked) do told[i] = answers[place] end
return told
