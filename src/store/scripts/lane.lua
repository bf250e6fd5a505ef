-- lane: putting entries in lanes, and the index of lanes with work.
--
-- `shard`, here and in the chunks behind this one, is { root = what every key begins with, timers =, failures = (keys), now = }.
-- `shard.work` is set where a lane of the pool that drains share got entries, or came back: see wake.lua.

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

-- Puts entries in a lane: side 'LPUSH' is its tail, 'RPUSH' its head, from which entries are taken. Answers whether
-- the lane was empty. Where its key is of a wrong type the entries wait in timers: never dropped.
local function put(shard, move)
  local length = 0
  for from = 1, #move.entries, CHUNK do
    local to = math.min(from + CHUNK - 1, #move.entries)
    length = redis.pcall(move.side, shard.root .. 'lane:' .. move.lane, unpack(move.entries, from, to))
    if type(length) == 'table' then
      for i = from, #move.entries do
        redis.call('ZADD', shard.timers, digits(shard.now + PUT_OFF_MS), delayed(move.pool, move.lane, move.entries[i]))
      end
      return false
    end
  end
  shard.work = shard.work or move.pool == '*'
  return length == #move.entries
end

-- Entries on their way to lanes: gathered first, so that each lane costs one push.
local function move_to(moves, pool, lane, side)
  local key = side .. pool .. ' ' .. lane
  local move = moves[key]
  if not move then
    move = { pool = pool, lane = lane, side = side, entries = {} }
    moves[key] = move
    moves[#moves + 1] = move
  end
  return move
end

local function gather(moves, pool, lane, side, entry)
  local entries = move_to(moves, pool, lane, side).entries
  entries[#entries + 1] = entry
end

-- Puts all of them, and adds the lanes that were empty to the index of their pool. Never raises: it comes after what the
-- entries have left, and where an index has a wrong type the audit finds the lane when that is mended.
local function put_all(shard, moves)
  local entered = {}
  for _, move in ipairs(moves) do
    if put(shard, move) then
      entered[move.pool] = entered[move.pool] or {}
      local lanes = entered[move.pool]
      lanes[#lanes + 1] = turn(move.lane, shard.now)
      lanes[#lanes + 1] = move.lane
    end
  end
  for pool, lanes in pairs(entered) do
    for from = 1, #lanes, CHUNK do
      redis.pcall('ZADD', shard.root .. 'ready:' .. pool, unpack(lanes, from, math.min(from + CHUNK - 1, #lanes)))
    end
  end
end
