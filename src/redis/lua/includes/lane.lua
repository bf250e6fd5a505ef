-- lane: putting entries in lanes, and the index of lanes with work.
--
-- `shard`, here and in the chunks behind this one, is { root = what every key begins with, timers = (key), now = }.
-- `shard.work` is set where a lane of the pool that drains share got entries, or came back: see wake.lua.

--- @include clock entry parts

-- 2^49: priority first, then the instant of the lane's last turn in ticks, 256 to a ms. Instants stay below it until the year 2039.
-- Scores are whole numbers: in an index of up to 128 lanes Redis reads others from text, again for each lane that it passes.
local TICKS, TURN = 256, 562949953421312

local function turn(lane, now)
  return digits(string.sub(lane, 1, 1) * TURN + now * TICKS)
end

-- The first member of a pool's index where some of its queues are paused: without it nobody looks.
local RESTRICTED = '!'

-- An entry that has to wait, as a member of `timers`. It begins with 'h' where it keeps the slot of its group meanwhile.
local function delayed(pool, lane, entry)
  return 'm ' .. pool .. ' ' .. lane .. ' ' .. entry
end

-- How long something that cannot be moved now is put off, so that it never blocks what is due behind it.
local PUT_OFF_MS = 60000

-- Storage refused a write. When a look for messages in no list began last is forgotten, so that another begins soon: that is a
-- delete, which is never refused. A key of a wrong type is no refusal.
local function note_refusal(shard, refused)
  if shard.was_refused or string.sub(refused, 1, 9) == 'WRONGTYPE' then return end
  shard.was_refused = true
  redis.pcall('HDEL', shard.root .. 'stats:totals', '&')
end

-- Entries on their way to lanes: gathered first, so that each lane costs one push.
local function move_to(moves, pool, lane, side)
  local key = side .. pool .. ' ' .. lane
  local move = moves[key]
  if not move then
    move = { pool = pool, lane = lane, side = side, entries = {}, pushed = 0 }
    moves[key] = move
    moves[#moves + 1] = move
  end
  return move
end

-- `held` is the slot of its group, where it keeps that until it is in its lane: see put_off.
local function gather(moves, pool, lane, side, entry, held)
  local move = move_to(moves, pool, lane, side)
  move.entries[#move.entries + 1] = entry
  if held then
    move.held = move.held or {}
    move.held[entry] = held
  end
end

-- Takes back what a move has pushed.
local function take_back(shard, move)
  local from, to = digits(move.pushed), '-1'
  if move.side == 'RPUSH' then from, to = '0', digits(-move.pushed - 1) end
  if move.pushed > 0 then redis.pcall('LTRIM', shard.root .. 'lane:' .. move.lane, from, to) end
  move.pushed = 0
end

-- What cannot be put may wait in timers where it has waited there, or its key has a wrong type until somebody mends that. Else it
-- would be overtaken: whoever puts it is told instead.
local function may_wait(shard, refused)
  note_refusal(shard, refused)
  if not shard.due and string.sub(refused, 1, 9) ~= 'WRONGTYPE' then error(refused, 0) end
end

-- Puts entries in a lane: side 'LPUSH' is its tail, 'RPUSH' its head, from which entries are taken. Answers whether the lane was
-- empty. Of a lane that takes no more `move.pushed` is less than all. One that is too long now is divided later: see divide.
local function push(shard, move)
  local was_empty = false
  undo_by(function() take_back(shard, move) end)
  for from = 1, #move.entries, CHUNK do
    local to = math.min(from + CHUNK - 1, #move.entries)
    local length = redis.pcall(move.side, shard.root .. 'lane:' .. move.lane, unpack(move.entries, from, to))
    if type(length) == 'table' then
      may_wait(shard, length.err)
      return was_empty
    end
    was_empty = was_empty or length == to
    move.pushed = to
    if length > MOST then
      shard.long = shard.long or {}
      shard.long[move.lane] = true
    end
    shard.work = shard.work or move.pool == '*'
  end
  return was_empty
end

-- What a lane does not take waits in timers, and is tried again: its key has a wrong type, or is full. One that keeps the slot of
-- its group keeps it meanwhile, so that none of its group goes before it. `shard.put_off` has the members that this wrote.
local function put_off(shard, move)
  shard.put_off = shard.put_off or {}
  for i = move.pushed + 1, #move.entries do
    local member = delayed(move.pool, move.lane, move.entries[i])
    local held = move.held and move.held[move.entries[i]]
    if held then member = 'h' .. string.sub(member, 2) end
    redis.call('ZADD', shard.timers, instant(shard.now + PUT_OFF_MS + (i - move.pushed - 1) * STEP), member)
    shard.put_off[member] = true
    if held then held.stays = true end
    undo_by(function()
      shard.put_off[member] = nil
      if held then held.stays = nil end
      if not (shard.due and shard.due[member]) then redis.pcall('ZREM', shard.timers, member) end -- it was there before
    end)
  end
end

-- Adds lanes that were empty to the index of their pool. Where that takes no more, what was put in them waits in timers.
local function enter(shard, moves, pool, lanes)
  local key, turns = shard.root .. 'ready:' .. pool, {}
  for _, lane in ipairs(lanes) do
    turns[#turns + 1] = turn(lane, shard.now)
    turns[#turns + 1] = lane
  end
  local refused = attempt(put_members, key, turns)
  if not refused then return end
  may_wait(shard, refused)
  for _, lane in ipairs(lanes) do
    for _, move in ipairs(moves) do
      if move.lane == lane then
        take_back(shard, move)
        put_off(shard, move)
      end
    end
  end
end

-- Puts all of them: no entry is in its lane and not in the index. Raises only where neither its lane nor timers takes an entry.
local function put_all(shard, moves)
  local entered, pools = {}, {}
  for _, move in ipairs(moves) do
    if push(shard, move) then
      if not entered[move.pool] then
        entered[move.pool] = {}
        pools[#pools + 1] = move.pool
      end
      local lanes = entered[move.pool]
      lanes[#lanes + 1] = move.lane
    end
    if move.pushed < #move.entries then put_off(shard, move) end
  end
  for _, pool in ipairs(pools) do enter(shard, moves, pool, entered[pool]) end
end
