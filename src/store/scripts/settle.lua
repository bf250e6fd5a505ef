-- settle: what a consumer finished leaves its lease.
--
-- Settlements come in runs alike: { outcome =, word = (of its destination), queue =, measured = (both nil where nothing was;
-- stats.lua says how), first =, last = (the entries in `args`), place = (of the first among all), settled =, acked = (how many) },
-- and where they are more than acks { delay =, kind =, text = }. Entries are settled by their names. A consumer elsewhere knows id
-- and attempt ('1.<id>' is '1r.<id>' after a redrive), or only the id and says '0.<id>': the lease tells which entry it holds.

-- Nearly all are simply acked, and of those nothing but the entry is needed. What of a run is more than that is added to `rest`.
local function drop_acked(shard, settled, run, args, in_lease, rest)
  local statuses, garbage, prefix, gsub = settled.statuses, settled.garbage, shard.root .. 'm:', string.gsub
  local place, dropped, before = run.place - run.first, #garbage, #garbage
  local plain = run.outcome == 'ack' and args[run.first - 4] ~= 'read' -- it may have a dedup key, a retention, or others that follow
  for at = run.first, run.last do
    local entry = args[at]
    if plain and in_lease[entry] == true then
      in_lease[entry] = nil -- named twice, it counts once
      local key, first = gsub(entry, FIRST, prefix)
      if first == 0 then
        key = gsub(entry, ANY, prefix)
        settled.cleared[#settled.cleared + 1] = id_of(entry)
      end
      dropped = dropped + 1
      garbage[dropped] = key
      statuses[place + at] = 'acked'
    else
      if in_lease[entry] then in_lease[entry] = 'named' end -- the first counts, whatever it says
      rest[#rest + 1] = { entry = entry, run = run, place = place + at }
    end
  end
  run.settled, run.acked = dropped - before, dropped - before
  if run.settled <= run.last - run.first then
    run.delay, run.kind, run.text = tonumber(args[run.first - 5]), args[run.first - 4], args[run.first - 3]
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
    local item, attempt = by_id[id_of(s.entry)], attempt_of(s.entry)
    if item and not items[s.entry] and (attempt == 0 or attempt == attempt_of(item.entry)) then s.entry = item.entry end
    s.item, items[s.entry] = items[s.entry], nil
    if s.item then in_lease[s.item.raw] = nil end
  end
end

-- Envelopes tell the queue and the attempts allowed, and whether a message that is not held lives on elsewhere.
local function headers_of(shard, rest)
  local wanted, headers = {}, {}
  for _, s in ipairs(rest) do
    if not s.item or s.run.outcome ~= 'ack' or s.run.kind == 'read' then wanted[#wanted + 1] = s.entry end
  end
  while #wanted > 0 do
    for _, envelope in ipairs(read_envelopes(shard.root, wanted, 1000000)) do
      headers[table.remove(wanted, 1)] = header_of(envelope) or envelope == TOMBSTONE and TOMBSTONE
    end
  end
  return headers
end

-- Something waits before it comes again: with its slot where its group has to wait with it.
local function wait_later(later, shard, header, entry, slot, delay)
  local member = delayed(header.pool, header.lane, entry)
  local holds = slot and (slot.mode == 'o' or slot.mode == 'b')
  later[#later + 1] = digits(shard.now + delay)
  later[#later + 1] = holds and string.gsub(member, '^m', 'h') or member
  if holds then keep_group(shard, slot) else free(shard, slot) end
end

local function settle_acked(shard, settled, s, header)
  local id = id_of(s.entry)
  if type(header) == 'table' then
    settled.done[#settled.done + 1] = { header, id }
    if header.retention > 0 then settled.results[#settled.results + 1] = { s.entry, s.run.text, header } end
  end
  settled.garbage[#settled.garbage + 1] = shard.root .. 'm:' .. id
  if has_failed(s.entry) then settled.cleared[#settled.cleared + 1] = id end
  return 'acked', s.item.slot
end

-- It failed: it is tried again, or dead. Returns its status, and the slot that is free then.
local function settle_failed(shard, settled, s, header)
  local run, slot = s.run, s.item.slot
  settled.failures[#settled.failures + 1] = failure(s.entry, shard.now, run.kind, run.text)
  if run.outcome == 'retry' and attempt_of(s.entry) < header.attempts then
    wait_later(settled.later, shard, header, next_entry(s.entry), slot, run.delay)
    return 'retried', nil
  end
  settled.died[#settled.died + 1] = { header, id_of(s.entry) }
  return 'dead', bury_with(shard, settled.buried, header, s.entry, slot)
end

-- One that is in the lease. Returns its status, and the slot that is free then.
local function settle_one(shard, settled, s, header)
  local run, slot = s.run, s.item.slot
  if slot and run.word and run.word ~= '' then hear(shard, slot, run.word) end
  if header == TOMBSTONE or s.item.cancelled then
    settled.garbage[#settled.garbage + 1] = shard.root .. 'm:' .. id_of(s.entry)
    return 'gone', slot
  end
  if run.outcome == 'ack' then return settle_acked(shard, settled, s, header) end
  if not header then
    settled.buried[#settled.buried + 1] = { queue = NO_QUEUE, entry = s.entry }
    settled.failures[#settled.failures + 1] = failure(s.entry, shard.now, 'missing', 'its envelope is gone')
    return 'dead', slot
  end
  if run.outcome ~= 'release' then return settle_failed(shard, settled, s, header) end
  if run.delay == 0 then
    settled.released[s.item.raw] = { header = header, entry = s.entry }
    return 'released', slot
  end
  wait_later(settled.later, shard, header, s.entry, slot, run.delay)
  return 'released', nil
end

-- Writes what was gathered. What could meet a key of a wrong type comes first, and is harmless to do again.
local function write_settled(shard, settled, moves)
  bury(shard, settled.buried)
  record_failures(shard, settled.failures)
  for _, result in ipairs(settled.results) do
    local entry, text, header = result[1], result[2], result[3]
    local line = queue_of(header.lane) .. ' ' .. digits(attempt_of(entry)) .. ' ' .. digits(shard.now) .. ' ' .. text
    redis.call('SET', shard.root .. 'result:' .. id_of(entry), line, 'PX', digits(header.retention))
  end
  for _, ended in ipairs(settled.done) do
    local header, id = ended[1], ended[2]
    end_dedup(shard.root, header, id)
    follow(shard, shard.intake, header, id, 'done')
    if header.follow then settled.garbage[#settled.garbage + 1] = shard.root .. 'then:' .. id end
  end
  for _, ended in ipairs(settled.died) do end_dead(shard, shard.intake, ended[1], ended[2]) end
  in_chunks('ZADD', shard.timers, settled.later)
  put_all(shard, moves)
  local cleared = settled.cleared
  for from = 1, #cleared, CHUNK do -- a key of a wrong type costs the texts, not the messages
    redis.pcall('HDEL', shard.failures, unpack(cleared, from, math.min(from + CHUNK - 1, #cleared)))
  end
end

-- Applies runs of settlements to `raws`, what the lease holds from its left end. What follows on their ends goes to
-- `shard.intake`. Returns the status of each, the items that stay, the keys to remove, and when the first of what has to wait
-- is due.
local function settle(shard, raws, runs, args)
  local settled = {
    statuses = {}, garbage = {}, cleared = {}, later = {}, buried = {}, failures = {}, released = {}, done = {}, died = {},
    results = {},
  }
  local in_lease, rest = {}, {}
  for i = 1, #raws do in_lease[raws[i]] = true end
  for _, run in ipairs(runs) do drop_acked(shard, settled, run, args, in_lease, rest) end
  if #rest > 0 then
    find_items(in_lease, rest)
    local headers = headers_of(shard, rest)
    for _, s in ipairs(rest) do
      local header, status, slot = headers[s.entry], nil, nil
      if s.item then status, slot = settle_one(shard, settled, s, header) else status = type(header) == 'table' and 'stale' or 'gone' end
      settled.statuses[s.place] = status
      free(shard, slot)
      if s.item then observed(s.run, header, status) end
    end
  end

  count_measured(runs)

  -- From the left, the newest first: so the oldest of what is given back ends up at the head of its lane.
  local remaining, moves, soonest = {}, {}, nil
  if next(in_lease) or next(settled.released) then
    for _, raw in ipairs(raws) do
      local given_back = settled.released[raw]
      if given_back then gather(moves, given_back.header.pool, given_back.header.lane, 'RPUSH', given_back.entry) end
      if in_lease[raw] then remaining[#remaining + 1] = read_item(raw) end
    end
  end
  write_settled(shard, settled, moves)
  for i = 1, #settled.later, 2 do soonest = math.min(soonest or math.huge, tonumber(settled.later[i])) end
  return settled.statuses, remaining, settled.garbage, soonest
end

-- Leaves in the lease what stays of `raws`. An emptied lease is added to `garbage`, to go with the rest in one command.
local function keep(lease_key, raws, remaining, garbage)
  local removed = #raws - #remaining
  if removed == 0 then return end
  if #remaining == 0 then
    garbage[#garbage + 1] = lease_key
  elseif removed <= 1 + #remaining / CHUNK then
    local stays = {}
    for _, item in ipairs(remaining) do stays[item.raw] = true end
    for _, raw in ipairs(raws) do
      if not stays[raw] then redis.call('LREM', lease_key, '1', raw) end
    end
  else
    local kept = {}
    for i, item in ipairs(remaining) do kept[i] = item.raw end
    redis.call('UNLINK', lease_key)
    in_chunks('RPUSH', lease_key, kept)
  end
end
