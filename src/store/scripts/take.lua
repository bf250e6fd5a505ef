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

-- Takes up to `want` entries from a pool. Returns what is still wanted.
local function take(root, now, pool, want, taken)
  local index, limit, lanes = root .. 'ready:' .. pool
  repeat
    limit = want -- each lane in the index has work, so that many suffice
    lanes = redis.call('ZRANGE', index, '0', digits(limit - 1))
    local emptied, turns, from = {}, {}, 1
    while want > 0 and from <= #lanes do
      local peers, served = nil, {}
      peers, from = peers_from(lanes, from)
      local alone = #peers == 1 and (lanes[from] or #lanes < limit)
      while want > 0 and #peers > 0 do want, peers = take_turns(root, peers, want, taken, emptied, served) end
      if not alone then -- a lane with no peers keeps its place: nobody waits for a turn
        for lane in pairs(served) do
          turns[#turns + 1] = turn(lane, now)
          turns[#turns + 1] = lane
        end
      end
    end
    in_chunks('ZREM', index, emptied)
    in_chunks('ZADD', index, turns)
  until want == 0 or #lanes < limit
  return want
end
