-- settle: what a consumer finished leaves its lease.

-- Entries are settled by their names. A consumer elsewhere knows id and attempt ('1.<id>' is '1r.<id>' after a redrive), or
-- only the id and says '0.<id>': the lease tells which entry it holds of it.
local function resolve(held, settlements)
  local by_id = {}
  for _, entry in ipairs(held) do by_id[id_of(entry)] = entry end
  for _, s in ipairs(settlements) do
    local entry, attempt = by_id[id_of(s.entry)], attempt_of(s.entry)
    if entry and (attempt == 0 or attempt == attempt_of(entry)) then s.entry = entry end
  end
end

-- Applies settlements { entry =, outcome =, delay =, kind =, text = } to `held`, the entries of the lease from its left
-- end. What follows on their ends goes to `shard.intake`. Returns the status of each, the entries that stay, the keys to
-- remove, and when the first of what has to wait is due.
local function settle(shard, held, settlements)
  local root, now = shard.root, shard.now
  local in_lease, wanted = {}, {}
  resolve(held, settlements)
  for _, entry in ipairs(held) do in_lease[entry] = true end
  for _, s in ipairs(settlements) do
    s.held = in_lease[s.entry]
    in_lease[s.entry] = nil -- named twice, it counts once
    -- The envelope of what is simply acked is not needed: 'read' says that it may have a dedup key or a retention.
    if not s.held or s.outcome ~= 'ack' or s.kind == 'read' then wanted[#wanted + 1] = s.entry end
  end

  -- Envelopes tell the queue and the attempts allowed, and whether a message that is not held lives on elsewhere.
  local headers = {}
  while #wanted > 0 do
    for _, envelope in ipairs(read_envelopes(root, wanted, 1000000)) do
      headers[table.remove(wanted, 1)] = header_of(envelope) or envelope == TOMBSTONE and TOMBSTONE
    end
  end

  local statuses, settled, garbage, cleared = {}, {}, {}, {}
  local moves, later, buried, failures, released = {}, {}, {}, {}, {}
  local done, died, results = {}, {}, {}
  for i, s in ipairs(settlements) do
    local header, outcome = headers[s.entry], s.outcome
    if not s.held then
      statuses[i] = type(header) == 'table' and 'stale' or 'gone'
    else
      settled[s.entry] = true
      if header == TOMBSTONE then
        garbage[#garbage + 1] = root .. 'm:' .. id_of(s.entry)
        statuses[i] = 'gone'
      elseif outcome ~= 'ack' and not header then
        buried[#buried + 1] = { queue = NO_QUEUE, entry = s.entry }
        failures[#failures + 1] = failure(s.entry, now, 'missing', 'its envelope is gone')
        statuses[i] = 'dead'
      elseif outcome == 'ack' then
        if type(header) == 'table' then
          done[#done + 1] = { header, id_of(s.entry) }
          if header.retention > 0 then results[#results + 1] = { s.entry, s.text, header } end
        end
        garbage[#garbage + 1] = root .. 'm:' .. id_of(s.entry)
        if has_failed(s.entry) then cleared[#cleared + 1] = id_of(s.entry) end
        statuses[i] = 'acked'
      elseif outcome == 'release' and s.delay == 0 then
        released[s.entry] = header
        statuses[i] = 'released'
      elseif outcome == 'release' then
        later[#later + 1] = digits(now + s.delay)
        later[#later + 1] = delayed(header.pool, header.lane, s.entry)
        statuses[i] = 'released'
      else
        failures[#failures + 1] = failure(s.entry, now, s.kind, s.text)
        if outcome == 'retry' and attempt_of(s.entry) < header.attempts then
          later[#later + 1] = digits(now + s.delay)
          later[#later + 1] = delayed(header.pool, header.lane, next_entry(s.entry))
          statuses[i] = 'retried'
        else
          buried[#buried + 1] = { queue = queue_of(header.lane), entry = s.entry }
          died[#died + 1] = { header, id_of(s.entry) }
          statuses[i] = 'dead'
        end
      end
    end
  end

  -- From the left, the newest first: so the oldest of what is given back ends up at the head of its lane.
  local remaining = {}
  for _, entry in ipairs(held) do
    if released[entry] then
      gather(moves, released[entry].pool, released[entry].lane, 'RPUSH', entry)
    elseif not settled[entry] then
      remaining[#remaining + 1] = entry
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
    for _, entry in ipairs(remaining) do stays[entry] = true end
    for _, entry in ipairs(held) do
      if not stays[entry] then redis.call('LREM', lease_key, '1', entry) end
    end
  else
    redis.call('UNLINK', lease_key)
    in_chunks('RPUSH', lease_key, remaining)
  end
end
