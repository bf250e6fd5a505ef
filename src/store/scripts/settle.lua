-- settle: what a consumer finished leaves its lease.

local function by_ids(held)
  local items = {}
  for _, item in ipairs(held) do items[id_of(item.entry)] = item end
  return items
end

-- Entries are settled by their names. A consumer elsewhere knows id and attempt ('1.<id>' is '1r.<id>' after a redrive), or
-- only the id and says '0.<id>': the lease tells which entry it holds of it. Returns the items of the lease by their entries.
local function resolve(held, settlements)
  local items, by_id = {}, nil
  for _, item in ipairs(held) do items[item.entry] = item end
  for _, s in ipairs(settlements) do
    if not items[s.entry] then
      by_id = by_id or by_ids(held)
      local item, attempt = by_id[id_of(s.entry)], attempt_of(s.entry)
      if item and (attempt == 0 or attempt == attempt_of(item.entry)) then s.entry = item.entry end
    end
  end
  return items
end

-- Something waits before it comes again: with its slot where its group has to wait with it.
local function wait_later(later, shard, header, entry, slot, delay)
  local member = delayed(header.pool, header.lane, entry)
  local holds = slot and (slot.mode == 'o' or slot.mode == 'b')
  later[#later + 1] = digits(shard.now + delay)
  later[#later + 1] = holds and string.gsub(member, '^m', 'h') or member
  if holds then keep_group(shard, slot) else free(shard, slot) end
end

-- Applies settlements { entry =, run = { outcome =, delay =, kind =, text =, measured =, word = (of its destination) } } to
-- `held`, the items of the lease from its left end. What follows on their ends goes to `shard.intake`. Returns the status of
-- each, the items that stay, the keys to remove, and when the first of what has to wait is due.
local function settle(shard, held, settlements)
  local root, now = shard.root, shard.now
  local statuses, garbage, cleared = {}, {}, {}
  local wanted, places, in_lease = {}, {}, resolve(held, settlements)
  for i, s in ipairs(settlements) do
    local entry, run = s.entry, s.run
    local item = in_lease[entry]
    in_lease[entry] = nil -- named twice, it counts once
    -- 'read' says that it may have a dedup key, a retention, or others that follow.
    local needs_envelope = not item or run.outcome ~= 'ack' or run.kind == 'read'
    if needs_envelope then wanted[#wanted + 1] = entry end
    if needs_envelope or item.raw ~= entry then
      s.item = item
      places[#places + 1] = i
      statuses[i] = 'gone'
    else -- nearly all are: acked, and nothing but their entry is needed
      garbage[#garbage + 1] = root .. 'm:' .. id_of(entry)
      if has_failed(entry) then cleared[#cleared + 1] = id_of(entry) end
      acked[run.measured] = (acked[run.measured] or 0) + 1
      statuses[i] = 'acked'
    end
  end

  -- Envelopes tell the queue and the attempts allowed, and whether a message that is not held lives on elsewhere.
  local headers = {}
  while #wanted > 0 do
    for _, envelope in ipairs(read_envelopes(root, wanted, 1000000)) do
      headers[table.remove(wanted, 1)] = header_of(envelope) or envelope == TOMBSTONE and TOMBSTONE
    end
  end

  local moves, later, buried, failures, released = {}, {}, {}, {}, {}
  local done, died, results = {}, {}, {}
  for _, i in ipairs(places) do
    local s = settlements[i]
    local header, run, slot = headers[s.entry], s.run, s.item and s.item.slot
    local outcome = run.outcome
    if not s.item then
      statuses[i] = type(header) == 'table' and 'stale' or 'gone'
    else
      if slot and run.word ~= '' then hear(shard, slot, run.word) end
      if header == TOMBSTONE or s.item.cancelled then
        garbage[#garbage + 1] = root .. 'm:' .. id_of(s.entry)
        statuses[i] = 'gone'
      elseif outcome ~= 'ack' and not header then
        buried[#buried + 1] = { queue = NO_QUEUE, entry = s.entry }
        failures[#failures + 1] = failure(s.entry, now, 'missing', 'its envelope is gone')
        statuses[i] = 'dead'
      elseif outcome == 'ack' then
        if type(header) == 'table' then
          done[#done + 1] = { header, id_of(s.entry) }
          if header.retention > 0 then results[#results + 1] = { s.entry, run.text, header } end
        end
        garbage[#garbage + 1] = root .. 'm:' .. id_of(s.entry)
        if has_failed(s.entry) then cleared[#cleared + 1] = id_of(s.entry) end
        statuses[i] = 'acked'
      elseif outcome == 'release' and run.delay == 0 then
        released[s.entry] = header
        statuses[i] = 'released'
      elseif outcome == 'release' then
        wait_later(later, shard, header, s.entry, slot, run.delay)
        slot = nil
        statuses[i] = 'released'
      else
        failures[#failures + 1] = failure(s.entry, now, run.kind, run.text)
        if outcome == 'retry' and attempt_of(s.entry) < header.attempts then
          wait_later(later, shard, header, next_entry(s.entry), slot, run.delay)
          slot = nil
          statuses[i] = 'retried'
        else
          slot = bury_with(shard, buried, header, s.entry, slot)
          died[#died + 1] = { header, id_of(s.entry) }
          statuses[i] = 'dead'
        end
      end
      free(shard, slot)
      observed(header, statuses[i], run.measured)
    end
  end

  -- From the left, the newest first: so the oldest of what is given back ends up at the head of its lane.
  local remaining = {}
  for _, item in ipairs(held) do
    local header = released[item.entry]
    if header then
      gather(moves, header.pool, header.lane, 'RPUSH', item.entry)
    elseif in_lease[item.entry] then
      remaining[#remaining + 1] = item
    end
  end

  -- What could meet a key of a wrong type comes first, and is harmless to do again.
  bury(shard, buried)
  record_failures(shard, failures)
  for _, result in ipairs(results) do
    local line = queue_of(result[3].lane) .. ' ' .. digits(attempt_of(result[1])) .. ' ' .. digits(now) .. ' ' .. result[2]
    redis.call('SET', root .. 'result:' .. id_of(result[1]), line, 'PX', digits(result[3].retention))
  end
  for _, ended in ipairs(done) do
    end_dedup(root, ended[1], ended[2])
    follow(shard, shard.intake, ended[1], ended[2], 'done')
    if ended[1].follow then garbage[#garbage + 1] = root .. 'then:' .. ended[2] end
  end
  for _, ended in ipairs(died) do end_dead(shard, shard.intake, ended[1], ended[2]) end
  in_chunks('ZADD', shard.timers, later)
  put_all(shard, moves)
  for from = 1, #cleared, CHUNK do -- a key of a wrong type costs the texts, not the messages
    redis.pcall('HDEL', shard.failures, unpack(cleared, from, math.min(from + CHUNK - 1, #cleared)))
  end
  local soonest
  for i = 1, #later, 2 do soonest = math.min(soonest or math.huge, tonumber(later[i])) end
  return statuses, remaining, garbage, soonest
end

-- Leaves in the lease what stays of `held`. An emptied lease is added to `garbage`, to go with the rest in one command.
local function keep(lease_key, held, remaining, garbage)
  local removed = #held - #remaining
  if removed == 0 then return end
  if #remaining == 0 then
    garbage[#garbage + 1] = lease_key
  elseif removed <= 1 + #remaining / CHUNK then
    local stays = {}
    for _, item in ipairs(remaining) do stays[item.raw] = true end
    for _, item in ipairs(held) do
      if not stays[item.raw] then redis.call('LREM', lease_key, '1', item.raw) end
    end
  else
    local raws = {}
    for i, item in ipairs(remaining) do raws[i] = item.raw end
    redis.call('UNLINK', lease_key)
    in_chunks('RPUSH', lease_key, raws)
  end
end
