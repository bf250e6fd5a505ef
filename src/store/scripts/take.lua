-- take: from lanes into a lease, the most urgent first, taking turns between lanes of one priority.

-- Takes up to `want` entries from one lane: RPOPLPUSH in bulk is LMPOP here and LPUSH when all are gathered.
-- Returns how many, and whether more are left.
local function take_from(root, lane, want, taken)
  local key = root .. 'lane:' .. lane
  local reply = redis.pcall('LMPOP', '1', key, 'RIGHT', 'COUNT', digits(want))
  if not reply or reply.err then return 0, false end
  for _, entry in ipairs(reply[2]) do taken[#taken + 1] = { entry = entry, lane = lane } end
  return #reply[2], #reply[2] == want and redis.call('LLEN', key) > 0
end

-- One round over lanes of one priority, each its share. Returns what is still wanted and the lanes with more.
local function take_turns(root, lanes, want, taken, emptied, served)
  local more = {}
  for i, lane in ipairs(lanes) do
    local share = math.ceil(want / (#lanes - i + 1))
    if share == 0 then
      more[#more + 1] = lane
    else
      local got, left = take_from(root, lane, share, taken)
      want = want - got
      if left then more[#more + 1] = lane else emptied[#emptied + 1] = lane end
      served[lane] = left or nil
    end
  end
  return want, more
end

-- Splits off the next lanes of one priority. Returns them and where the others begin.
local function peers_from(lanes, from)
  local peers, priority = {}, string.sub(lanes[from], 1, 1)
  while lanes[from] and string.sub(lanes[from], 1, 1) == priority do
    peers[#peers + 1] = lanes[from]
    from = from + 1
  end
  return peers, from
end

-- Lanes moved in one pass of restrictions, and passes in one call.
local PARK, PASSES = 200, 10

-- Brings back the parked lanes of a queue that was resumed, a bounded number at a time, those first that were served least
-- recently.
local function unpark(shard, config, pool, queue)
  local lanes, turns = redis.pcall('ZPOPMIN', shard.root .. 'parked:' .. queue, digits(PARK)), {}
  if lanes.err then return end
  for i = 1, #lanes, 2 do
    turns[#turns + 1] = turn(lanes[i], shard.now)
    turns[#turns + 1] = lanes[i]
  end
  in_chunks('ZADD', shard.root .. 'ready:' .. pool, turns)
  if #lanes < 2 * PARK then redis.call('HDEL', config, queue) end
end

-- Takes the lanes of paused queues out of the index, where they would be in the way, and those of resumed ones back in.
-- Returns the paused queues.
local function restrict(shard, config, pool, index)
  local settings, paused, restricted = redis.pcall('HGETALL', config), {}, false
  if settings.err then return nil end
  for i = 1, #settings, 2 do
    local state, of = string.match(settings[i + 1], '^(%l+) (%S+)$')
    if of == pool then
      restricted = true
      if state == 'resuming' then unpark(shard, config, pool, settings[i]) else paused[settings[i]] = true end
    end
  end
  if not restricted then redis.call('ZREM', index, RESTRICTED) end
  for _ = 1, PASSES do
    local parked = {}
    local lanes = redis.call('ZRANGE', index, '0', digits(PARK), 'WITHSCORES')
    for i = 1, #lanes, 2 do
      if paused[queue_of(lanes[i])] then
        local put = redis.pcall('ZADD', shard.root .. 'parked:' .. queue_of(lanes[i]), lanes[i + 1], lanes[i])
        if type(put) == 'number' then parked[#parked + 1] = lanes[i] end
      end
    end
    in_chunks('ZREM', index, parked)
    if #parked == 0 then break end
  end
  return paused
end

-- The first `limit` lanes of a pool that may be served, and whether there may be more.
local function lanes_of(shard, config, pool, index, limit)
  local lanes = redis.pcall('ZRANGE', index, '0', digits(limit - 1))
  if lanes.err then return {}, false end
  if lanes[1] ~= RESTRICTED then return lanes, #lanes == limit end
  local paused, served = restrict(shard, config, pool, index), {}
  if not paused then return {}, false end
  lanes = redis.call('ZRANGE', index, '0', digits(limit))
  for _, lane in ipairs(lanes) do
    if lane ~= RESTRICTED and not paused[queue_of(lane)] then served[#served + 1] = lane end
  end
  return served, #served == limit
end

-- Takes up to `want` entries from a pool. Returns what is still wanted.
local function take(shard, config, pool, want, taken)
  local index, lanes, more = shard.root .. 'ready:' .. pool
  repeat
    lanes, more = lanes_of(shard, config, pool, index, want) -- each has work, so that many suffice
    local emptied, turns, from = {}, {}, 1
    while want > 0 and from <= #lanes do
      local peers, served = nil, {}
      peers, from = peers_from(lanes, from)
      local alone = #peers == 1 and (lanes[from] or not more)
      while want > 0 and #peers > 0 do want, peers = take_turns(shard.root, peers, want, taken, emptied, served) end
      if not alone then -- a lane with no peers keeps its place: nobody waits for a turn
        for lane in pairs(served) do
          turns[#turns + 1] = turn(lane, shard.now)
          turns[#turns + 1] = lane
        end
      end
    end
    in_chunks('ZREM', index, emptied)
    in_chunks('ZADD', index, turns)
  until want == 0 or not more
  return want
end
