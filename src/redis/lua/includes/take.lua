-- take: from lanes into a lease, the most urgent first, taking turns between lanes of one priority, within their limits.
--
-- Nothing leaves a lane here: what was taken is read, and removed when the lease has it. RPOPLPUSH in bulk is LRANGE, LPUSH to the
-- lease, and LTRIM.

--- @include clock entry lane parts definitions limits breaker

-- What was taken, by place: entries, the lanes they came from, the slots that some have now, and the items of those that were in
-- the lease before. Lists of their own, because a table for each message is what costs most here. `gone` says how many leave the
-- head of each lane, `more` whether others stay behind them, `emptied` which may stand in a set of waiting lanes since earlier. Of
-- lanes with parts `walks` and `nodes` say where entries stood, of each lane and of each place.
local function new_taken()
  return { entries = {}, lanes = {}, slots = {}, raws = {}, gone = {}, more = {}, pools = {}, emptied = {}, walks = {}, nodes = {} }
end

-- Numbers as text: shares and turns are mostly alike, and writing numbers out costs.
local texts = {}

local function written(number)
  texts[number] = texts[number] or digits(number)
  return texts[number]
end

-- The same of a lane that has parts: reads up to `want` entries, and one more. Returns how many, and whether others stay.
local function read_divided(shard, name, want, taken)
  local walk, place = taken.walks[name], #taken.entries
  if not walk then
    walk = long.new_walk(name)
    local top, gone = walk.top, taken.gone[name] or 0
    top.read, top.seen, top.gone, taken.walks[name] = gone, gone, gone, walk
    for i = 1, place do
      if taken.lanes[i] == name then taken.nodes[i] = top end
    end
  end
  local entries, nodes = long.read_on(shard.root, walk, want + 1)
  local more = #entries > want
  if more then long.read_again(walk, nodes[#nodes]) end
  for i = 1, math.min(want, #entries) do
    nodes[i].gone = nodes[i].gone + 1
    taken.entries[place + i], taken.lanes[place + i], taken.nodes[place + i] = entries[i], name, nodes[i]
  end
  return math.min(want, #entries), more
end

-- Reads up to `want` entries from the head of a lane, and one more. Returns how many, and whether others stay.
local function read_lane(shard, name, want, taken)
  local gone, entries, lanes, place = taken.gone[name] or 0, taken.entries, taken.lanes, #taken.entries
  if taken.walks[name] then return read_divided(shard, name, want, taken) end
  local found = redis.pcall('LRANGE', shard.root .. 'lane:' .. name, written(-gone - want - 1), written(-gone - 1))
  if found.err then return nil, false end
  local got = math.min(want, #found)
  for i = 1, got do
    local entry = found[#found + 1 - i]
    if entry == MARK then
      for at = place + 1, place + i - 1 do entries[at], lanes[at] = nil, nil end
      return read_divided(shard, name, want, taken)
    end
    entries[place + i], lanes[place + i] = entry, name
  end
  taken.gone[name] = gone + got
  return got, #found > got
end

-- Takes up to `want` entries from one lane. Returns how many, and whether others stay.
local function take_from(shard, lane, want, taken)
  local name, place = lane.older or lane.name, #taken.entries
  local got, others = read_lane(shard, name, want, taken)
  if not got then return 0, false end
  local slot = lane.policy and got > 0 and use(shard, lane.pool, name, got)
  for i = 1, slot and got or 0 do taken.slots[place + i] = slot end
  lane.last = #taken.entries
  taken.more[name], taken.pools[name] = others, lane.pool
  return got, others
end

-- One that was taken in this call, the last of its lane, is left there.
local function untake(shard, taken, place)
  local lane, node = taken.lanes[place], taken.nodes[place]
  if node then node.gone = node.gone - 1 else taken.gone[lane] = taken.gone[lane] - 1 end
  taken.more[lane] = true
  if not shard.blocked[lane] then shard.leaving[lane] = nil end
  unuse(shard, taken.pools[lane], lane, taken.slots[place])
end

-- A lane that has to wait for its group gives its turn to one that waits for their queue: nobody else would bring that back
-- as long as the queue has room.
local function pass_on(shard, pass, queue, policy)
  if not (policy.c or policy.r or policy.trips) or (policy.c and count_of(shard, queue) >= policy.c) then return end
  pass.turns[queue] = (pass.turns[queue] or 0) + 1
end

-- Each lane costs a command, and envelopes that lie apart. So many share a batch where there are no more; of more, so many take
-- turns with the others.
local SHARING, CROWDED = 20, 10

-- One round over lanes of one priority, each its share: by weight, no more than its quantum or what its limits leave, and where
-- there are many lanes, no less than makes a batch of SHARING of them. `pass` gathers what becomes of the lanes. Returns what is
-- still wanted and the lanes with more.
local function take_turns(shard, pool, lanes, want, pass, taken)
  local more, weights, least = {}, 0, #lanes > SHARING and math.ceil(want / SHARING) or 1
  for _, lane in ipairs(lanes) do weights = weights + lane.weight end
  for _, lane in ipairs(lanes) do
    local room, waits_for, until_ms = math.huge, nil, nil
    if lane.policy then room, waits_for, until_ms = breaker.room_for(shard, lane.name) end
    local share = math.max(least * lane.weight, math.ceil(want * lane.weight / weights))
    share = math.min(room, want, share, lane.quantum * lane.weight)
    weights = weights - lane.weight
    if room <= 0 then
      local score = pass.served[lane] and turn(lane.name, shard.now) or lane.score
      block(shard, pool, lane.name, score, waits_for, until_ms)
      if waits_for ~= queue_of(lane.name) then pass_on(shard, pass, queue_of(lane.name), lane.policy) end
      pass.served[lane], pass.promoted[lane] = nil, nil
    elseif share == 0 then
      more[#more + 1] = lane
    else
      local got, others = take_from(shard, lane, share, taken)
      want, lane.got = want - got, lane.got + got
      if not others then shard.leaving[lane.older or lane.name] = pass.index end
      if lane.older and not others then -- what it kept back is next
        taken.emptied[#taken.emptied + 1], lane.older, others = lane.older, nil, true
      end
      if others then more[#more + 1] = lane end
      pass.served[lane] = others or nil
      pass.promoted[lane] = lane.promoted and others and lane.last or nil
    end
  end
  return want, more
end

-- Shares are rounded, so that some lanes get more than is theirs. How much more, in messages by weight, is kept in the ticks of
-- the score: of lanes with one turn those come first the next time that got the least. Where there are more lanes than share a
-- batch, they stay in their order: by their names the same ones would be left out every time.
local AHEAD = 8

local function turns_of(served, turns, now, crowded)
  local least = math.huge
  for lane in pairs(served) do
    lane.ahead = lane.score % TICKS / TICKS * AHEAD + lane.got / lane.weight
    least = math.min(least, lane.ahead)
  end
  for lane in pairs(served) do
    local ticks = crowded and lane.place or math.floor((lane.ahead - least) / AHEAD * TICKS)
    local at = (string.byte(lane.name) - 48) * TURN + math.floor(now) * TICKS + math.min(TICKS - 1, ticks)
    turns[#turns + 1] = written(at)
    turns[#turns + 1] = lane.name
  end
end

-- Splits off the next lanes of one priority. Returns them and where the others begin.
local function peers_from(lanes, from)
  local peers, priority = {}, lanes[from].priority
  while lanes[from] and lanes[from].priority == priority do
    peers[#peers + 1] = lanes[from]
    from = from + 1
  end
  return peers, from
end

-- Passes in one call that only move lanes aside.
local PASSES = 10

-- Brings back lanes of a queue that was resumed, or got other limits. Returns whether the rest comes by itself: there is none,
-- or it waits for slots that are in use, or for the next period.
local function resume(shard, pool, queue)
  shard.policy[queue] = nil -- what was known was without what operators set
  local policy = policy_of(shard, queue)
  if policy and policy.c then
    load_counts(shard, { queue })
    if count_of(shard, queue) >= policy.c then return true end
  end
  local left, ends = 1, nil
  if policy and policy.r then left, ends = rate_left(shard, queue, policy.r, policy.per) end
  if left > 0 then return unblock_queue(shard, pool, queue, BLOCK) end
  shard.windows[#shard.windows + 1] = digits(ends)
  shard.windows[#shard.windows + 1] = 'q ' .. pool .. ' ' .. queue
  return true
end

-- Lanes that leave an index when all is stored, and stand there until then.
local function passed_over(shard, index)
  local count = 0
  for _, left in pairs(shard.leaving) do count = count + (left == index and 1 or 0) end
  return count
end

-- Takes the lanes of paused queues out of the index, where they would be in the way, and those of resumed ones back in.
-- Returns the paused queues.
local function restrict(shard, config, pool, index)
  local settings, paused, restricted = redis.pcall('HGETALL', config), {}, false
  if settings.err then return nil end
  for i = 1, #settings, 2 do
    local queue, state, of, words = settings[i], string.match(settings[i + 1], '^(%l+) (%S+)(.*)$')
    if of == pool then
      restricted = true
      if words ~= '' then shard.overrides[queue] = words end
      if state == 'paused' then paused[queue] = true end
      if state == 'resuming' and resume(shard, pool, queue) then
        if words == '' then redis.pcall('HDEL', config, queue) else redis.pcall('HSET', config, queue, 'open ' .. pool .. words) end
      end
    end
  end
  shard.policy = {} -- what was known of policies was without these
  if not restricted then redis.call('ZREM', index, RESTRICTED) end
  for _ = 1, next(paused) and PASSES or 0 do
    local lanes = redis.call('ZRANGE', index, '0', digits(BLOCK + passed_over(shard, index)), 'WITHSCORES')
    for i = 1, #lanes, 2 do
      local queue = queue_of(lanes[i])
      if paused[queue] and not shard.leaving[lanes[i]] then block(shard, pool, lanes[i], lanes[i + 1], queue, false) end
    end
    local blocked = block_all(shard)
    in_chunks('ZREM', index, blocked)
    if #blocked == 0 then break end
  end
  return paused
end

-- A lane as the index has it: { name =, score =, priority = (of its place, not of its name, where it waited for long) … }.
local function lane_of(shard, pool, name, score)
  local policy = shard.limited and policy_of(shard, queue_of(name))
  local priority = math.floor(score / TURN)
  return {
    name = name, score = score, got = 0, priority = priority, promoted = priority < string.byte(name) - 48,
    pool = pool, weight = policy and definitions.weight_of(policy, name) or 1, quantum = policy and policy.quantum or math.huge,
    policy = policy,
  }
end

-- An ordered queue whose priority a deployment has changed: a lane of the new one waits for those that its group has of others.
local function find_older(shard, lanes)
  local keys, waiting = {}, {}
  for _, lane in ipairs(lanes) do
    local own = lane.policy and lane.policy.own
    for priority = 0, own == string.byte(lane.name) - 48 and 9 or -1 do
      if priority ~= own then
        keys[#keys + 1] = shard.root .. 'lane:' .. priority .. string.sub(lane.name, 2)
        waiting[#waiting + 1] = lane
      end
    end
  end
  for from = 1, #keys, CHUNK do
    local to = math.min(from + CHUNK - 1, #keys)
    for i = from, redis.call('EXISTS', unpack(keys, from, to)) > 0 and to or 0 do
      if redis.call('EXISTS', keys[i]) == 1 then waiting[i].older = string.sub(keys[i], #shard.root + 6) end
    end
  end
end

-- A lane of a queue that became push or pull since it was entered moves to the index where it is served now.
local function rehome(shard, index, name, pool)
  local moved = redis.pcall('ZADD', shard.root .. 'ready:' .. pool, turn(name, shard.now), name)
  if type(moved) == 'number' then shard.leaving[name] = index end
end

-- A lane of a queue that this deployment does not know waits for one that does: for as long as nobody has served it, up to a
-- minute, so that a version that shares the traffic with it meets it soon; then for a sixteenth of that, so that a queue that left
-- the code costs little.
local UNKNOWN_LEAST_MS, UNKNOWN_SOON_MS, UNKNOWN_SHARE, UNKNOWN_MOST_MS = 2000, 60000, 16, 900000

local function put_aside(shard, pool, name, score)
  local waited = math.max(UNKNOWN_LEAST_MS, shard.now - tonumber(score) % TURN / TICKS)
  local share = math.max(UNKNOWN_SOON_MS, math.floor(waited / UNKNOWN_SHARE))
  local until_ms = shard.now + math.min(UNKNOWN_MOST_MS, waited, share)
  block(shard, pool, name, score, queue_of(name), until_ms)
end

-- Whether only another deployment handles a queue.
local function is_others(shard, queue)
  return string.find(definitions.of(shard, queue) or '', '^%S+ %-') ~= nil
end

-- Whether a lane may be served by who asks. Where its queue is another's it is moved, or put aside.
local function is_served(shard, index, pool, name, score)
  local queue = queue_of(name)
  local belongs = definitions.pool_of(shard, queue, pool)
  if belongs ~= pool then rehome(shard, index, name, belongs) return false end
  if definitions.is_unknown(shard, queue) then put_aside(shard, pool, name, score) return false end
  return not is_others(shard, queue)
end

-- The first `limit` lanes of a pool that may be served, or where there are as many, the first `most` of them. And whether there may
-- be more, and how many it has looked at.
local function lanes_of(shard, config, pool, index, limit, most)
  local found = redis.pcall('ZRANGE', index, '0', digits(limit - 1), 'WITHSCORES')
  if found.err then return {}, false, 0 end
  local paused, lanes, names, breakers, seen = {}, {}, {}, {}, 0
  if found[1] == RESTRICTED then
    paused = restrict(shard, config, pool, index)
    if not paused then return {}, false, 0 end
    found = redis.call('ZRANGE', index, '0', digits(limit), 'WITHSCORES')
  end
  definitions.load(shard, found)
  shard.limited = shard.policies ~= '' or next(shard.overrides) ~= nil
  local pausing, first = next(paused) ~= nil, found[1] == RESTRICTED and 3 or 1
  local more = (#found + 1 - first) / 2 >= limit
  for i = first, more and first + 2 * most - 1 or #found, 2 do
    seen = seen + 1
    if not shard.leaving[found[i]] and not (pausing and paused[queue_of(found[i])])
      and (shard.policies == '' or is_served(shard, index, pool, found[i], found[i + 1]))
      and not definitions.outlasts(shard, queue_of(found[i])) then
      local lane = lane_of(shard, pool, found[i], found[i + 1])
      lane.place = #lanes
      lanes[#lanes + 1] = lane
      if lane.policy and lane.policy.mode then
        names[#names + 1] = queue_of(lane.name)
        if lane.policy.gc or lane.policy.trips_group then names[#names + 1] = group_of(lane.name) end
        breakers[#breakers + 1] = breaker.name_of(shard, lane.name)
      end
    end
  end
  load_counts(shard, names)
  breaker.load(shard, breakers)
  find_older(shard, lanes)
  return lanes, more, seen
end

-- Takes up to `want` entries from a pool. Lanes that leave its index stay there until all is stored, and are passed over. Returns
-- what is still wanted, and whether it stopped before it had seen all.
local function take(shard, config, pool, want, taken, promoted)
  local index, moved_aside = shard.root .. 'ready:' .. pool, 0
  local passed, lanes, more, seen = passed_over(shard, index), nil, nil, nil
  local asked, most = passed + math.min(want, SHARING) + 1, passed + (want > SHARING and CROWDED or want)
  repeat
    lanes, more, seen = lanes_of(shard, config, pool, index, asked, most) -- each has work
    local pass, turns, from, before = { index = index, served = {}, promoted = promoted, turns = {} }, {}, 1, #taken.entries
    while want > 0 and from <= #lanes and not next(pass.turns) do -- what has a turn now may come before the others
      local peers
      peers, from = peers_from(lanes, from)
      local alone = #peers == 1 and (lanes[from] or not more)
      while want > 0 and #peers > 0 do want, peers = take_turns(shard, pool, peers, want, pass, taken) end
      local only = alone and next(pass.served) -- keeps its place, unless its wait is watched: nobody waits for a turn
      if not only or only.promoted or (only.policy and only.policy.max_wait) then turns_of(pass.served, turns, shard.now, more) end
      pass.served = {}
    end
    for _, name in ipairs(block_all(shard)) do
      shard.leaving[name], shard.blocked[name] = index, shard.root .. 'blocked:' .. queue_of(name)
    end
    try_in_chunks('ZADD', index, turns)
    for queue, count in pairs(pass.turns) do
      unblock_queue(shard, pool, queue, math.min(BLOCK, count))
      more = true
    end
    local got = #taken.entries - before
    if got == 0 then moved_aside = moved_aside + math.max(1, seen - passed) end
    -- As many as it takes where they hold what these did, behind those that were looked at.
    asked = (got == 0 and BLOCK or math.min(want, math.ceil(want * #lanes / got))) + seen
    most, passed = asked, passed_over(shard, index)
  until want == 0 or not more or moved_aside >= PASSES * BLOCK
  return want, want > 0 and more
end

-- The priority, as a text, of the first lane in the indexes of pools that who asks may be given, by its place: one that waited for too long stands
-- among the most urgent. Empty where there is none, or none among the first that it looks at. What a take would move out of the way
-- (lanes of paused queues, lanes over a limit) counts until one does. It has no name of its own: a script has few locals left.
function definitions.horizon(shard, pools)
  local function first_of_pool(pool)
    local from, count = 0, 2 -- the first may be a mark
    repeat
      local found = redis.pcall('ZRANGE', shard.root .. 'ready:' .. pool, digits(from), digits(from + count - 1), 'WITHSCORES')
      if found.err then return nil end
      local ended = #found < 2 * count
      definitions.load(shard, found)
      for i = 1, #found, 2 do
        local queue = queue_of(found[i])
        if queue and not is_others(shard, queue) and not definitions.outlasts(shard, queue) then
          return math.floor(tonumber(found[i + 1]) / TURN)
        end
      end
      from = from + count
      count = BLOCK
    until ended or from > PASSES * BLOCK
    return nil
  end
  local most = nil
  for _, pool in ipairs(pools) do
    local first = first_of_pool(pool)
    if first and (not most or first < most) then most = first end
  end
  return most and digits(most) or ''
end
