-- settle: what a consumer finished leaves its lease.
--
-- Settlements come in segments alike: { outcome =, health = (of its destination), queue =, measured = (both nil where nothing was;
-- counters.lua says how), first =, last = (the entries in `args`), place = (of the first among all), settled =, acked = (how many) },
-- and where they are more than acks { delay =, kind =, text = }. Entries are settled by their names. A consumer elsewhere knows id
-- and attempt ('1.<id>' is '1r.<id>' after a redrive), or only the id and says '0.<id>': the lease tells which entry it holds.

--- @include clock entry lane lease definitions limits breaker counters dead admit overflow

-- Nearly all are simply acked, and of those nothing but the entry is needed. What of a segment is more than that is added to `rest`.
local function drop_acked(shard, settled, segment, args, in_lease, chained, rest)
  local statuses, garbage, prefix, gsub = settled.statuses, settled.garbage, shard.root .. 'm:', string.gsub
  local place, dropped, before = segment.place - segment.first, #garbage, #garbage
  local plain = segment.outcome == 'ack' and args[segment.first - 4] ~= 'read' -- it may have a dedup key, a resultTtl, or callbacks
  for at = segment.first, segment.last do
    local entry = args[at]
    if plain and in_lease[entry] == true and not chained[place + at] then
      in_lease[entry] = nil -- named twice, it counts once
      local key, first = gsub(entry, FIRST, prefix)
      if first == 0 then
        key = gsub(entry, ANY, prefix)
        settled.cleared[#settled.cleared + 1] = shard.root .. 'failures:' .. id_of(entry)
      end
      dropped = dropped + 1
      garbage[dropped] = key
      statuses[place + at] = 'acked'
    else
      if in_lease[entry] then in_lease[entry] = 'named' end -- the first counts, whatever it says
      rest[#rest + 1] = { entry = entry, segment = segment, place = place + at, chained = chained[place + at] }
    end
  end
  segment.settled, segment.acked = dropped - before, dropped - before
  if segment.settled <= segment.last - segment.first then
    segment.delay, segment.kind, segment.text = tonumber(args[segment.first - 5]), args[segment.first - 4], args[segment.first - 3]
  end
end

-- Finds in what is left of the lease the item of each settlement, and names its entry as the lease does.
local function find_items(in_lease, rest)
  local items, by_id = {}, {}
  for raw in pairs(in_lease) do
    local item = read_item(raw)
    items[item.entry], by_id[id_of(item.entry)] = item, item
  end
  for _, s in ipairs(rest) do
    local item, attempt_named = by_id[id_of(s.entry)], attempt_of(s.entry)
    if item and not items[s.entry] and (attempt_named == 0 or attempt_named == attempt_of(item.entry)) then s.entry = item.entry end
    s.item, items[s.entry] = items[s.entry], nil
    if s.item then in_lease[s.item.raw] = nil end
  end
end

-- Envelopes tell the queue and the attempts allowed, and whether a message that is not held lives on elsewhere.
local function headers_of(shard, rest)
  local wanted, headers = {}, {}
  for _, s in ipairs(rest) do
    if not s.item or s.segment.outcome ~= 'ack' or s.segment.kind == 'read' then wanted[#wanted + 1] = s.entry end
  end
  while #wanted > 0 do
    for _, envelope in ipairs(read_envelopes(shard.root, wanted, 1000000)) do
      headers[table.remove(wanted, 1)] = header_of(envelope) or envelope == TOMBSTONE and TOMBSTONE
    end
  end
  return headers
end

-- What some settlements come to, before anything is written.
local function new_plan()
  return { garbage = {}, later = {}, buried = {}, failures = {}, results = {}, moves = {}, intake = new_intake() }
end

-- Something waits before it comes again: with its slot where its group has to wait with it. Returns the slot that is free then.
local function wait_later(shard, plan, header, entry, slot, delay)
  local member = delayed(header.pool, header.lane, entry)
  local holds = keeps_group(slot)
  plan.later[#plan.later + 1] = instant(due_at(shard, plan.intake, { delay = delay }))
  plan.later[#plan.later + 1] = holds and string.gsub(member, '^m', 'h') or member
  return holds and of_queue(slot) or slot
end

local function plan_ack(shard, plan, s, header, args)
  local id = id_of(s.entry)
  if type(header) == 'table' then
    end_dedup(plan.garbage, shard.root, header, id)
    admit_callbacks(shard, plan.intake, header, id, 'done')
    if header.callbacks then plan.garbage[#plan.garbage + 1] = shard.root .. 'callbacks:' .. id end
    if header.result_ttl > 0 then plan.results[#plan.results + 1] = { s.entry, s.segment.text, header } end
  end
  if s.chained then admit(shard, plan.intake, args, s.chained[1], s.chained[2]) end
  plan.garbage[#plan.garbage + 1] = shard.root .. 'm:' .. id
  if has_failed(s.entry) then plan.garbage[#plan.garbage + 1] = shard.root .. 'failures:' .. id end
  return 'acked', s.item.slot
end

-- It failed: it is tried again, or dead. Returns its status, and the slot that is free then.
local function plan_failed(shard, plan, s, header)
  local segment, slot = s.segment, s.item.slot
  plan.failures[#plan.failures + 1] = failure(s.entry, shard.now, segment.kind, segment.text)
  if segment.outcome == 'retry' and attempt_of(s.entry) < header.attempts then
    return 'retried', wait_later(shard, plan, header, next_entry(s.entry), slot, segment.delay)
  end
  end_dead(shard, plan.intake, plan.garbage, header, id_of(s.entry))
  return 'dead', bury_with(plan.buried, header, s.entry, slot)
end

-- One that is in the lease. Returns its status, and the slot that is free then.
local function plan_one(shard, plan, s, header, args)
  local segment, slot = s.segment, s.item.slot
  if header == TOMBSTONE or s.item.cancelled then
    plan.garbage[#plan.garbage + 1] = shard.root .. 'm:' .. id_of(s.entry)
    return 'gone', slot
  end
  if segment.outcome == 'ack' then return plan_ack(shard, plan, s, header, args) end
  if not header then
    plan.buried[#plan.buried + 1] = { queue = NO_QUEUE, entry = s.entry }
    plan.failures[#plan.failures + 1] = failure(s.entry, shard.now, 'missing', 'its envelope is gone')
    return 'dead', slot
  end
  if segment.outcome ~= 'release' then return plan_failed(shard, plan, s, header) end
  if segment.delay > 0 then return 'released', wait_later(shard, plan, header, s.entry, slot, segment.delay) end
  local pool = definitions.pool_of(shard, queue_of(header.lane), header.pool)
  gather(plan.moves, pool, header.lane, 'RPUSH', s.entry)
  return 'released', slot
end

-- All puts of a plan.
local function put_settled(shard, plan)
  bury(shard, plan.buried)
  for _, result in ipairs(plan.results) do
    local entry, text, header = result[1], result[2], result[3]
    local key, line = shard.root .. 'result:' .. id_of(entry), queue_of(header.lane) .. ' ' .. digits(attempt_of(entry))
    redis.call('SET', key, line .. ' ' .. digits(shard.now) .. ' ' .. text, 'PX', digits(header.result_ttl))
    undo_by(function() redis.pcall('UNLINK', key) end)
  end
  overflow.put(shard, plan.later)
  put_all(shard, plan.moves)
  put_in(shard, plan.intake)
  put_over(shard, plan.intake)
  record_failures(shard, plan.failures)
end

-- Behind the puts: what these settlements free, remove and count.
local function conclude(shard, settled, plan, list)
  for _, s in ipairs(list) do
    settled.statuses[s.place] = s.status
    free(shard, s.freed)
    if s.item.slot and s.segment.health and s.segment.health ~= '' then breaker.record(shard, s.item.slot, s.segment.health) end
    observed(s.segment, s.header, s.status)
  end
  for _, key in ipairs(plan.garbage) do settled.garbage[#settled.garbage + 1] = key end
  for i = 1, #plan.later, 2 do settled.soonest = math.min(settled.soonest, tonumber(plan.later[i])) end
  settled.soonest = math.min(settled.soonest, plan.intake.soonest)
  count_buried(shard, plan.buried)
  remove_replaced(shard, plan.intake)
end

-- Settles what is held, in the order in which it was taken: all of it, or where storage refuses a part, each by itself. What it
-- refuses stays in the lease.
local function settle_held(shard, settled, list, args, in_lease)
  local plan = new_plan()
  for i = #list, 1, -1 do -- the oldest of what is given back ends up at the head of its lane
    if list[i].segment.outcome == 'release' and list[i].segment.delay == 0 then list[i].status, list[i].freed = plan_one(shard, plan, list[i], list[i].header, args) end
  end
  for _, s in ipairs(list) do
    if s.segment.outcome ~= 'release' or s.segment.delay > 0 then s.status, s.freed = plan_one(shard, plan, s, s.header, args) end
  end
  local refused = attempt(put_settled, shard, plan)
  if not refused then return conclude(shard, settled, plan, list) end
  if #list > 1 then
    for i = #list, 1, -1 do
      if list[i].segment.outcome == 'release' then settle_held(shard, settled, { list[i] }, args, in_lease) end
    end
    for _, s in ipairs(list) do
      if s.segment.outcome ~= 'release' then settle_held(shard, settled, { s }, args, in_lease) end
    end
    return
  end
  settled.statuses[list[1].place], in_lease[list[1].item.raw] = 'refused', 'refused'
  settled.refused = refused
end

-- Applies segments of settlements to `raws`, what the lease holds from its left end. `chained` has what comes with an ack, by the
-- place of the settlement: where the arguments of its segments begin and end. Returns { statuses = (of each), remaining = (the
-- items that stay), others = (of these, those that were not to be settled), garbage = (keys to remove), soonest = (when the first of
-- what has to wait is due), refused = (why storage refused some) }.
local function settle(shard, raws, segments, chained, args)
  local settled = { statuses = {}, garbage = {}, cleared = {}, remaining = {}, others = {}, soonest = math.huge }
  local in_lease, rest, held, place_of = {}, {}, {}, {}
  for i = 1, #raws do in_lease[raws[i]] = true end
  for _, segment in ipairs(segments) do drop_acked(shard, settled, segment, args, in_lease, chained, rest) end
  if #rest > 0 then
    find_items(in_lease, rest)
    local headers = headers_of(shard, rest)
    for i = 1, #raws do place_of[raws[i]] = i end
    for _, s in ipairs(rest) do
      s.header = headers[s.entry]
      if s.item then held[#held + 1] = s else settled.statuses[s.place] = type(s.header) == 'table' and 'stale' or 'gone' end
    end
    table.sort(held, function(a, b) return place_of[a.item.raw] > place_of[b.item.raw] end)
    if #held > 0 then settle_held(shard, settled, held, args, in_lease) end
  end
  count_measured(segments)
  for _, key in ipairs(settled.cleared) do settled.garbage[#settled.garbage + 1] = key end
  for i = 1, next(in_lease) and #raws or 0 do
    if in_lease[raws[i]] then
      local item = read_item(raws[i])
      settled.remaining[#settled.remaining + 1] = item
      if in_lease[raws[i]] ~= 'refused' then settled.others[#settled.others + 1] = item end
    end
  end
  return settled
end

-- What stays goes to the left of all that there was, which then is cut off. Where storage refuses that, each goes by itself.
local function put_kept(lease_key, remaining)
  local raws = {}
  for i = #remaining, 1, -1 do raws[#raws + 1] = remaining[i].raw end
  push_left(lease_key, raws)
end

-- Leaves in the lease what stays of `raws`. An emptied lease is added to `garbage`, to go with the rest in one command.
local function keep(lease_key, raws, remaining, garbage)
  local removed = #raws - #remaining
  if removed == 0 then return end
  if #remaining == 0 then
    garbage[#garbage + 1] = lease_key
  elseif removed <= 1 + #remaining / CHUNK or attempt(put_kept, lease_key, remaining) then
    local stays = {}
    for _, item in ipairs(remaining) do stays[item.raw] = true end
    for _, raw in ipairs(raws) do
      if not stays[raw] then redis.call('LREM', lease_key, '1', raw) end
    end
  else
    redis.call('LTRIM', lease_key, '0', digits(#remaining - 1))
  end
end
