-- limits: what a queue and each of its groups may have in flight and may take in a period, and the lanes that wait for it.
--
-- The words of a policy are
-- c=<in flight> r=<n>/<ms>, gc= and gr= for each group, o (ordered: one of a group at a time, its slot kept through retries)
-- or b (and after its death), with p=<the queue's priority>, q=<quantum> w=<group>:<weight>,… a=<ms> (the longest wait of a
-- lane), t=<ms> (what a delivery may take, where that is not 15 s), and those of breaker.lua.
-- What operators set in `config` counts over c and r.
--
-- Slots are counted in the hash `inflight`, by queue and, where groups have limits, by '<queue>/<group>'. Who has one is told
-- by the items of leases, by timers that begin with 'h', and by dead letters that hold their group back: never by a count alone.
-- The mode of a slot: q counts for the queue, g for its group too; o and b are like g, but between its attempts a message keeps
-- the slot of its group, which then is w, and with b after its death.

--- @include clock entry lane definitions

-- Scores of lanes blocked for their group begin here, so that those blocked for their queue can be told from them.
local GROUP = 10 * TURN

-- Lanes moved at once where slots were freed, and where a period begins.
local BLOCK, WINDOW = 200, 1000
-- Of a queue whose limit was taken away so many come back in this time.
local UNLIMITED_MS = 1000

local function number_in(words, pattern)
  return tonumber(string.match(words, pattern) or '')
end

local function parse_policy(words)
  local policy = { c = number_in(words, ' c=(%d+)'), gc = number_in(words, ' gc=(%d+)'), words = words }
  policy.r, policy.per = number_in(words, ' r=(%d+)/'), number_in(words, ' r=%d+/(%d+)')
  policy.gr, policy.gper = number_in(words, ' gr=(%d+)/'), number_in(words, ' gr=%d+/(%d+)')
  policy.quantum, policy.max_wait = number_in(words, ' q=(%d+)'), number_in(words, ' a=(%d+)')
  policy.timeout = number_in(words, ' t=(%d+)')
  local order = string.match(words .. ' ', ' ([ob]) ')
  if order then policy.gc, policy.own = 1, number_in(words, ' p=(%d)') end
  policy.trips, policy.open_ms = number_in(words, ' g?h=(%d+)/'), number_in(words, ' g?h=%d+/(%d+)')
  policy.trips_group = string.find(words, ' gh=', 1, true) ~= nil
  policy.mode = order or (policy.gc or policy.trips_group) and 'g' or (policy.c or policy.trips) and 'q'
  return policy
end

-- What this call knows of slots: `policies` as it was given (nil where its caller does not know them), and what it reads and
-- changes on its way.
local function with_limits(shard, policies)
  definitions.begin(shard, policies or '')
  shard.overrides, shard.policy = {}, {}
  shard.judges, shard.asked, shard.blocking, shard.timed = policies ~= nil, {}, {}, {}
  shard.inflight, shard.moved, shard.freed, shard.rates, shard.windows = {}, {}, {}, {}, {}
  shard.breakers, shard.opened, shard.transitions = {}, {}, {}
  -- Lane → the index that it leaves when all that was taken is stored, and → the set in which it waits already.
  shard.leaving, shard.blocked = {}, {}
  shard.stuck = {} -- groups that have room, and lanes that could not come back
end

-- Where a lane belongs: in the pool of its queue as this deployment defines it, else where it was stored.
function definitions.pool_of(shard, queue, stored)
  return string.match(definitions.of(shard, queue) or '', '^%S+') or stored
end

-- Whether a deployment that names all of its queues does not name this one.
function definitions.is_unknown(shard, queue)
  return string.sub(shard.policies, -2) == '\n!' and not definitions.of(shard, queue)
end

-- The policy of a queue; false where it has none.
local function policy_of(shard, queue)
  local policy = shard.policy[queue]
  if policy ~= nil then return policy end
  local words = (shard.overrides[queue] or '') .. string.match(definitions.of(shard, queue) or '', '^%S*(.*)$')
  policy = words ~= '' and parse_policy(words)
  shard.policy[queue] = policy
  return policy
end

-- Whether a delivery of this queue may take longer than the drain that asks lives (`shard.life`, in ms; nil: it takes all). Such lanes
-- stay as they are, untouched and uncounted, for a drain that lives longer. The shortest such timeout is left in `shard.left`.
function definitions.outlasts(shard, queue)
  if not shard.life then return false end
  local policy = shard.policies ~= '' and policy_of(shard, queue)
  local timeout = policy and policy.timeout or 15000
  if timeout <= shard.life then return false end
  shard.left = math.min(shard.left or timeout, timeout)
  return true
end

-- What operators set for a queue: its limits count over those of the code from here on. A command, so only a queue whose lanes wait
-- is asked for, and once in a call. Returns whether they have paused it: then its lanes wait on.
local function load_override(shard, pool, queue)
  if shard.asked[queue] == nil then
    local setting = redis.pcall('HGET', shard.root .. 'config', queue)
    local state, of, words = string.match(type(setting) == 'string' and setting or '', '^(%l+) (%S+)(.*)$')
    shard.asked[queue] = of == pool and state or ''
    if of == pool and words ~= '' then shard.overrides[queue], shard.policy[queue] = words, nil end
  end
  return shard.asked[queue] == 'paused'
end

-- The name of a lane's group: '<queue>/' where it has none, which counts as one of its own.
local function group_of(lane)
  local name = string.sub(lane, 3)
  return string.find(name, '/', 1, true) and name or name .. '/'
end

function definitions.weight_of(policy, lane)
  if not policy then return 1 end
  local group, name_end = string.match(lane, '/(.*)$') or '', nil
  for _, before in ipairs({ ' w=', ',' }) do
    if not name_end then _, name_end = string.find(policy.words, before .. group .. ':', 1, true) end
  end
  return name_end and tonumber(string.match(policy.words, '^%d+', name_end + 1) or '1') or 1
end

-- Reads the counts that are not known yet.
local function load_counts(shard, names)
  local unknown, asked = {}, {}
  for _, name in ipairs(names) do
    if not shard.inflight[name] and not asked[name] then
      asked[name] = true
      unknown[#unknown + 1] = name
    end
  end
  for from = 1, #unknown, CHUNK do
    local to = math.min(from + CHUNK - 1, #unknown)
    local counts = redis.pcall('HMGET', shard.root .. 'inflight', unpack(unknown, from, to))
    for i = from, to do shard.inflight[unknown[i]] = tonumber(not counts.err and counts[i - from + 1] or '0') or 0 end
  end
end

local function count_of(shard, name)
  return math.max(0, (shard.inflight[name] or 0) + (shard.moved[name] or 0))
end

local function move_count(shard, lane, mode, by)
  local queue, group = queue_of(lane), group_of(lane)
  if mode ~= 'w' then shard.moved[queue] = (shard.moved[queue] or 0) + by end
  if mode ~= 'q' then shard.moved[group] = (shard.moved[group] or 0) + by end
end

-- An entry that had a slot has left where it had it.
local function free(shard, slot)
  if not slot then return end
  move_count(shard, slot.lane, slot.mode, -1)
  shard.freed[#shard.freed + 1] = slot
end

-- Each length of period counts for itself: two deployments that differ in it must not forget each other's counts.
local function rate_key(shard, name, per)
  return shard.root .. 'rate:' .. digits(per) .. ':' .. name
end

-- Whether a message keeps the slot of its group between its attempts, so that none of the group goes before it.
local function keeps_group(slot)
  return slot and (slot.mode == 'o' or slot.mode == 'b')
end

-- Of the slot of an entry that waits outside of its lease: what is free, because it keeps that of its group alone.
local function of_queue(slot)
  return { pool = slot.pool, lane = slot.lane, mode = 'q' }
end

-- How many a name may take in this period still, and when the next begins.
local function rate_left(shard, name, most, per)
  local window, rate = math.floor(shard.now / per), shard.rates[name]
  if not rate then
    local stored, count = string.match(text_of(rate_key(shard, name, per)), '^(%d+) (%d+)$')
    rate = { window = window, per = per, count = tonumber(stored) == window and tonumber(count) or 0 }
    shard.rates[name] = rate
  end
  return most - rate.count, (window + 1) * per
end

-- How many entries of a lane may be taken; where none, the name that has to wait, and until when if that is known.
local function limits_room(shard, lane)
  local queue, group = queue_of(lane), group_of(lane)
  local policy, most = policy_of(shard, queue), math.huge
  if not policy then return most end
  if policy.gc then most = policy.gc - count_of(shard, group) end
  if most <= 0 then return 0, group end
  if policy.gr then
    local left, ends = rate_left(shard, group, policy.gr, policy.gper)
    if left <= 0 then return 0, group, ends end
    most = math.min(most, left)
  end
  if policy.c then most = math.min(most, policy.c - count_of(shard, queue)) end
  if most <= 0 then return 0, queue end
  if policy.r then
    local left, ends = rate_left(shard, queue, policy.r, policy.per)
    if left <= 0 then return 0, queue, ends end
    most = math.min(most, left)
  end
  return most
end

-- So many of a lane were taken. Returns the slot each of them has now, if any.
local function use(shard, pool, lane, count)
  local policy = policy_of(shard, queue_of(lane))
  if not policy then return nil end
  for _, name in ipairs({ queue_of(lane), group_of(lane) }) do
    if shard.rates[name] then shard.rates[name].count = shard.rates[name].count + count end
    if shard.rates[name] then shard.rates[name].used = true end
  end
  if not policy.mode then return nil end
  move_count(shard, lane, policy.mode, count)
  return { pool = pool, lane = lane, mode = policy.mode }
end

-- One that was taken in this call is not given out: its slot is free, and its period has not given it. Who waits for either comes
-- back.
local function unuse(shard, pool, lane, slot)
  local policy = policy_of(shard, queue_of(lane))
  if not policy then return end
  for _, name in ipairs({ queue_of(lane), group_of(lane) }) do
    if shard.rates[name] then shard.rates[name].count = math.max(0, shard.rates[name].count - 1) end
  end
  if slot then free(shard, slot) else shard.freed[#shard.freed + 1] = { pool = pool, lane = lane, mode = 'g' } end
end

-- Who waits for a slot is looked for after so long, too: a deployment without the limit takes messages without slots, and frees none.
local SLOTLESS_MS = 60000

-- Has to wait until its queue or its group has room, by block_all with the others of this call: a command for each of thousands of
-- lanes would be what a limit costs.
local function block(shard, pool, lane, score, waits_for, until_ms)
  local queue = queue_of(lane)
  local blocking = shard.blocking[queue] or {}
  shard.blocking[queue] = blocking
  blocking[#blocking + 1] = digits(tonumber(score) + (waits_for ~= queue and GROUP or 0))
  blocking[#blocking + 1] = lane
  if until_ms == nil and waits_for == queue then until_ms = shard.now + SLOTLESS_MS end
  if until_ms and not shard.timed[waits_for] then
    shard.timed[waits_for] = true
    shard.windows[#shard.windows + 1] = digits(until_ms)
    shard.windows[#shard.windows + 1] = 'q ' .. pool .. ' ' .. waits_for
  end
end

-- Returns the lanes that are blocked now, and are to be taken out of the index by the caller: not those of a queue for which that
-- cannot be.
local function block_all(shard)
  local blocked = {}
  for queue, blocking in pairs(shard.blocking) do
    for from = 1, #blocking, CHUNK do
      local to = math.min(from + CHUNK - 1, #blocking)
      local put = redis.pcall('ZADD', shard.root .. 'blocked:' .. queue, unpack(blocking, from, to))
      for i = from, type(put) == 'number' and to or 0, 2 do blocked[#blocked + 1] = blocking[i + 1] end
    end
  end
  shard.blocking = {}
  return blocked
end

-- Lanes with the scores they had come back into the index. Never raises, for it comes after what slots were freed by: where
-- the index has a wrong type, or storage refuses, they stay blocked. Returns whether they are back.
local function unblock(shard, stored, queue, lanes)
  local pool = definitions.pool_of(shard, queue, stored)
  for from = 1, #lanes, CHUNK / 2 do
    local names, turns = {}, { 'ZADD', shard.root .. 'ready:' .. pool }
    for i = from, math.min(from + CHUNK / 2 - 1, #lanes) do
      local name, score = lanes[i][1], tonumber(lanes[i][2])
      names[#names + 1] = name
      turns[#turns + 1] = digits(score >= GROUP and score - GROUP or score)
      turns[#turns + 1] = name
    end
    if type(redis.pcall(unpack(turns))) ~= 'number' then return false end
    shard.work = shard.work or pool == '*'
    in_chunks('ZREM', shard.root .. 'blocked:' .. queue, names)
    for _, name in ipairs(names) do shard.leaving[name], shard.blocked[name] = nil, nil end
  end
  return true
end

-- Lanes that wait for their queue, with their scores: those first that were served least recently.
local function waiting_lanes(shard, queue, most)
  local found, lanes = redis.pcall('ZRANGE', shard.root .. 'blocked:' .. queue, '-inf', '(' .. digits(GROUP), 'BYSCORE', 'LIMIT', '0',
    digits(most), 'WITHSCORES'), {}
  for i = 1, found.err and 0 or #found, 2 do lanes[#lanes + 1] = { found[i], found[i + 1] } end
  return lanes
end

-- Brings some of them back. Returns whether all are back.
local function unblock_queue(shard, pool, queue, most)
  local lanes = waiting_lanes(shard, queue, most)
  return unblock(shard, pool, queue, lanes) and #lanes < most
end

-- The lanes that wait for groups of a queue, whatever their priority, with their scores.
function definitions.lanes_behind(shard, queue, groups)
  local names, lanes = {}, {}
  for _, group in ipairs(groups) do
    for priority = 0, 9 do names[#names + 1] = priority .. ':' .. string.gsub(group, '/$', '') end
  end
  for from = 1, #names, CHUNK do
    local to = math.min(from + CHUNK - 1, #names)
    local scores = redis.pcall('ZMSCORE', shard.root .. 'blocked:' .. queue, unpack(names, from, to))
    for i = from, scores.err and 0 or to do
      local score = scores[i - from + 1]
      if score and tonumber(score) >= GROUP then lanes[#lanes + 1] = { names[i], score } end
    end
  end
  return lanes
end

-- Brings them back, where their groups have room again. Returns whether they are. Where storage refuses that, nobody would ever look
-- for them: the counts of these groups stay as they were, above what is in use, and the sweep that counts again brings the lanes back.
local function unblock_groups(shard, pool, queue, groups)
  local lanes = definitions.lanes_behind(shard, queue, groups)
  local back = unblock(shard, pool, queue, lanes)
  for _, lane in ipairs(back and {} or lanes) do shard.stuck[group_of(lane[1])] = true end
  return back
end

-- How many lanes may come back where so many slots of their queue were freed.
local function lanes_for(shard, queue, freed)
  local policy = policy_of(shard, queue)
  return math.min(BLOCK, policy and policy.c and math.max(freed, policy.c - count_of(shard, queue)) or BLOCK)
end

-- Brings them back. Returns whether the others come by themselves, or there are none.
local function unblock_next(shard, pool, queue, freed)
  local most = lanes_for(shard, queue, freed)
  local lanes = waiting_lanes(shard, queue, most)
  if #lanes == 0 or load_override(shard, pool, queue) then return true end
  local allowed = lanes_for(shard, queue, freed)
  if allowed > most and #lanes == most then lanes = waiting_lanes(shard, queue, allowed) end
  for i = #lanes, allowed + 1, -1 do lanes[i] = nil end
  return unblock(shard, pool, queue, lanes) and #lanes < allowed
end

-- Lanes that waited for what was freed come back.
local function unblock_freed(shard)
  local queues, order = {}, {}
  for _, slot in ipairs(shard.freed) do
    local queue, group = queue_of(slot.lane), group_of(slot.lane)
    if not queues[queue] then
      queues[queue] = { pool = slot.pool, count = 0, groups = {}, seen = {} }
      order[#order + 1] = queue
    end
    local freed = queues[queue]
    if slot.mode ~= 'w' then freed.count = freed.count + 1 end
    if slot.mode ~= 'q' and not freed.seen[group] and not shard.opened[group] then
      freed.seen[group] = true
      freed.groups[#freed.groups + 1] = group
    end
  end
  shard.freed = {}
  for _, queue in ipairs(order) do
    local freed, all = queues[queue], true
    shard.work = shard.work or freed.pool == '*' -- also where nobody has met its limit yet, and blocked a lane
    load_counts(shard, { queue })
    if #freed.groups > 0 then unblock_groups(shard, freed.pool, queue, freed.groups) end
    local queue_waits = freed.count > 0 or (shard.judges and not policy_of(shard, queue))
    if queue_waits and not shard.opened[queue] then all = unblock_next(shard, freed.pool, queue, freed.count) end
    local policy = policy_of(shard, queue)
    if not all and not (policy and (policy.c or policy.r or policy.trips)) then -- its limit is gone: nobody else brings them
      shard.windows[#shard.windows + 1] = digits(shard.now)
      shard.windows[#shard.windows + 1] = 'q ' .. freed.pool .. ' ' .. queue
    end
  end
end

-- A period is over: what waited for it comes back. Returns when to look again, if more wait, or storage refuses.
local function open_window(shard, pool, name)
  local queue = string.match(name, '^[^/]+')
  if name ~= queue then
    return not unblock_groups(shard, pool, queue, { name }) and shard.now + SLOTLESS_MS or nil
  end
  if load_override(shard, pool, queue) then return nil end
  local policy = policy_of(shard, queue)
  local rate, per = policy and policy.r or WINDOW, policy and policy.per or UNLIMITED_MS
  local most = math.min(WINDOW, rate)
  if policy and policy.c and not policy.r then -- the others come with the slots of these, or of those in flight
    load_counts(shard, { queue })
    most = math.min(WINDOW, policy.c - count_of(shard, queue))
    if most > 0 and unblock_queue(shard, pool, queue, most) then return nil end
    return shard.now + SLOTLESS_MS
  end
  if unblock_queue(shard, pool, queue, most) then return nil end
  return math.min(shard.now + per * most / rate, (math.floor(shard.now / per) + 1) * per)
end

-- Of what an attempt cannot do without, a refusal is raised; of the rest it is not.
local function write(must, ...)
  if must then redis.call(...) else redis.pcall(...) end
end

-- Writes what changed. Where storage refuses that, counts stay above what is in use, until the next sweep counts again.
local function commit_limits(shard, must)
  local names, set, gone = {}, {}, {}
  for name, by in pairs(shard.moved) do
    if by > 0 or (by < 0 and not shard.stuck[name]) then names[#names + 1] = name end
  end
  table.sort(names)
  load_counts(shard, names)
  for _, name in ipairs(names) do
    local count = count_of(shard, name)
    if count == 0 then
      gone[#gone + 1] = name
    else
      set[#set + 1] = name
      set[#set + 1] = digits(count)
    end
  end
  local inflight = shard.root .. 'inflight'
  for from = 1, #shard.windows, CHUNK do
    write(must, 'ZADD', shard.timers, unpack(shard.windows, from, math.min(from + CHUNK - 1, #shard.windows)))
  end
  for name, rate in pairs(shard.rates) do
    local taken = digits(rate.window) .. ' ' .. digits(rate.count)
    if rate.used then write(must, 'SET', rate_key(shard, name, rate.per), taken, 'PX', digits(2 * rate.per)) end
  end
  for from = 1, #set, CHUNK do write(must, 'HSET', inflight, unpack(set, from, math.min(from + CHUNK - 1, #set))) end
  try_in_chunks('HDEL', inflight, gone)
  shard.inflight, shard.moved, shard.windows = {}, {}, {}
end
