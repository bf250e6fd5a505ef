-- timers: firing what is due. Delayed entries go to their lanes; an expired lease gives back what it held.

--- @include clock entry lane lease definitions limits counters dead admit due overflow

-- What firing some timers comes to, before anything is written.
local function new_firing()
  return {
    firsts = {}, again = {}, expiries = {}, buried = {}, failures = {}, ended = {}, intake = new_intake(), put_off = {}, schedules = {},
    done = {}, garbage = {}, slots = {}, windows = {}, entries = 0,
  }
end

-- One entry of an expired lease goes back to its lane an attempt later, or is dead where attempts are used up.
local function expire(shard, firing, item, envelope)
  local entry, header, slot = item.entry, header_of(envelope), item.slot
  if envelope == TOMBSTONE then
    firing.garbage[#firing.garbage + 1] = shard.root .. 'm:' .. id_of(entry)
  elseif not header then
    firing.buried[#firing.buried + 1] = { queue = NO_QUEUE, entry = entry }
    firing.failures[#firing.failures + 1] = failure(entry, shard.now, 'missing', 'its envelope is gone')
  else
    firing.failures[#firing.failures + 1] = failure(entry, shard.now, 'lease_expired', 'its consumer let the lease expire')
    if attempt_of(entry) < header.attempts then
      local held = keeps_group(slot) and slot
      firing.expiries[#firing.expiries + 1] = { definitions.pool_of(shard, queue_of(header.lane), header.pool), header.lane, next_entry(entry), held }
    else
      slot = bury_with(firing.buried, header, entry, slot)
      firing.ended[#firing.ended + 1] = { header, id_of(entry) }
    end
  end
  if slot then firing.slots[#firing.slots + 1] = slot end
end

-- What one expired lease held, in the order in which it was taken, as it comes again or dies: the newest entry stands left. False where
-- its key has a wrong type.
local function give_back(shard, firing, lease)
  local key = shard.root .. 'lease:' .. lease
  local held = read_lease(key)
  if not held then return false end
  local entries, read = {}, 0
  for i = #held, 1, -1 do entries[#entries + 1] = held[i].entry end
  while read < #entries do
    local envelopes = read_envelopes(shard.root, { unpack(entries, read + 1, math.min(read + CHUNK, #entries)) }, 1000000)
    definitions.load(shard, envelopes)
    for i = 1, #envelopes do expire(shard, firing, held[#held + 1 - read - i], envelopes[i]) end
    read = read + #envelopes
  end
  firing.entries = firing.entries + #held
  firing.garbage[#firing.garbage + 1] = key
  return true
end

-- The next due instant in a reply of ZRANGE .. WITHSCORES, other than the caller's own lease; '' if there is none.
local function due_after(first, own)
  local due = first[1] == own and first[4] or first[1] ~= own and first[2]
  return due and digits(tonumber(due)) or ''
end

local function to_put_off(shard, firing, member)
  firing.put_off[#firing.put_off + 1] = digits(shard.now + PUT_OFF_MS)
  firing.put_off[#firing.put_off + 1] = member
end

-- Entries of leases that one call gives back, however many delayed ones it fires: each costs as much as ten of these.
local GIVEN_BACK = 250

-- What one timer that is due comes to. A lease waits for the next call where `limit` entries are on their way already, and a
-- schedule where there are too many for one answer.
local function plan_timer(shard, firing, member, limit)
  local kind, pool, lane, entry = string.match(member, '^([mh]) (%S+) (%d:%S+) (%d+r?%.%S+)$')
  local lease, of, name, schedule -- nearly all are entries
  if not entry then
    lease = string.match(member, '^l (%S+)$')
    schedule = string.match(member, '^s (%S+)$')
    of, name = string.match(member, '^q (%S+) (%S+)$')
  end
  if entry then
    pool = definitions.pool_of(shard, queue_of(lane), pool)
    local held = kind == 'h' and { pool = pool, lane = lane, mode = 'w' } or nil
    if held then firing.slots[#firing.slots + 1] = held end
    if held or attempt_of(entry) > 1 then
      firing.again[#firing.again + 1] = { pool, lane, entry, held }
    else
      gather(firing.firsts, pool, lane, 'LPUSH', entry)
    end
    firing.done[#firing.done + 1] = member
  elseif lease then
    if firing.entries >= math.min(limit, GIVEN_BACK) then return end
    if give_back(shard, firing, lease) then firing.done[#firing.done + 1] = member else to_put_off(shard, firing, member) end
  elseif of then
    firing.windows[#firing.windows + 1] = { member, of, name }
  elseif schedule then
    if #firing.schedules < DUE_SCHEDULES then firing.schedules[#firing.schedules + 1] = schedule end
  else
    to_put_off(shard, firing, member)
  end
end

-- What fires stands in timers still, but what follows on a death must not take its place any more.
local function ids_fired(firing)
  local ids = {}
  for _, member in ipairs(firing.done) do ids[id_of(string.match(member, '%S+$'))] = true end
  return ids
end

-- All puts of a firing. What expired leases give back comes after the others, so that it stands before them; what has waited
-- already goes to the head, the one due first to the very head, and so does the lease that expired first. What follows on deaths goes
-- to the tail, and so in the order of the deaths.
local function put_fired(shard, firing)
  local heads = {}
  for _, list in ipairs({ firing.again, firing.expiries }) do
    for i = #list, 1, -1 do gather(heads, list[i][1], list[i][2], 'RPUSH', list[i][3], list[i][4]) end
  end
  if #firing.ended > 0 then shard.given = ids_fired(firing) end
  for _, ended in ipairs(firing.ended) do end_dead(shard, firing.intake, firing.garbage, ended[1], ended[2]) end
  shard.given = nil
  bury(shard, firing.buried)
  put_all(shard, firing.firsts)
  put_all(shard, heads)
  put_in(shard, firing.intake)
  put_over(shard, firing.intake)
  record_failures(shard, firing.failures)
end

-- Behind the puts: what has moved leaves its timers and leases, and its slots are free.
local function remove_fired(shard, firing, fired)
  local done = {}
  for _, member in ipairs(firing.done) do
    if not (shard.put_off and shard.put_off[member]) then done[#done + 1] = member end
  end
  in_chunks('ZREM', shard.timers, done)
  in_chunks('UNLINK', nil, firing.garbage)
  for _, slot in ipairs(firing.slots) do
    if not slot.stays then free(shard, slot) elseif slot.mode ~= 'w' then free(shard, of_queue(slot)) end
  end
  for _, expired in ipairs(firing.expiries) do counted(queue_of(expired[2]), 'leaseExpired') end
  count_buried(shard, firing.buried)
  remove_replaced(shard, firing.intake)
  fired.fired, fired.requeued = fired.fired + #firing.done, fired.requeued + #firing.expiries
  fired.dead = fired.dead + #firing.buried
  shard.put_off = nil
end

-- Storage refuses a part of it: each timer by itself, a chunk of them, those behind which others stand first. What it refuses stays where it
-- is, and is tried again in a minute.
local function fire_singly(shard, due, fired, limit)
  local firsts, heads, leases = {}, {}, {}
  for _, member in ipairs({ unpack(due, 1, math.min(#due, CHUNK)) }) do
    if string.find(member, '^l ') then
      table.insert(leases, 1, member)
    elseif string.find(member, '^m %S+ %S+ 1%.') then
      firsts[#firsts + 1] = member
    elseif string.find(member, '^[mh] ') then
      table.insert(heads, 1, member)
    end
  end
  for _, members in ipairs({ firsts, heads, leases }) do
    for _, member in ipairs(members) do
      local firing = new_firing()
      plan_timer(shard, firing, member, limit)
      local refused = #firing.done > 0 and attempt(put_fired, shard, firing)
      if refused then
        shard.put_off = nil
        redis.pcall('ZADD', shard.timers, digits(shard.now + PUT_OFF_MS), member)
      elseif #firing.done > 0 then
        limit = limit - firing.entries
        remove_fired(shard, firing, fired)
      end
    end
  end
end

-- Periods that are over, schedules whose time has come, and what cannot be moved: none of these has an entry.
local function fire_others(shard, firing, fired)
  local done = {}
  fired.schedules = read_due(shard, firing.schedules, firing.put_off, done)
  for _, window in ipairs(firing.windows) do
    local again = open_window(shard, window[2], window[3])
    if again then
      shard.windows[#shard.windows + 1] = digits(again)
      shard.windows[#shard.windows + 1] = window[1]
    else
      done[#done + 1] = window[1]
    end
  end
  try_in_chunks('ZADD', shard.timers, firing.put_off)
  in_chunks('ZREM', shard.timers, done)
  fired.fired = fired.fired + #done + #firing.put_off / 2
end

-- Markers of overflow that bring back what is due in one call.
local PULLS = 2

-- At most `limit` members that are due, none behind a marker that has not been pulled; and how many were. One that cannot be is
-- left to plan_timer, which puts it off.
local function due_now(shard, limit)
  local pulls, stuck, till = 0, {}, '(' .. digits(shard.now + 1)
  while true do
    local due, at = redis.call('ZRANGE', shard.timers, '-inf', till, 'BYSCORE', 'LIMIT', '0', digits(limit))
    for i, member in ipairs(due) do
      if not at and string.byte(member) == 43 and not stuck[member] then at = i end
    end
    if not at then return due, pulls end
    if pulls == PULLS then
      for i = #due, at, -1 do due[i] = nil end
      return due, pulls
    end
    if overflow.pull(shard, due[at]) then pulls = pulls + 1 else stuck[due[at]] = true end
  end
end

-- Fires at most `limit` due timers, where a lease counts as one and as each entry it holds. `own` is the timer of the
-- caller's lease, which a late sync still extends as long as nobody has fired it.
-- Returns { fired = (or put off), requeued =, dead =, next = due ms or '', schedules = what read_due answers }.
local function fire(shard, limit, own)
  local timers, fired = shard.timers, { fired = 0, requeued = 0, dead = 0, schedules = {} }
  local first = redis.call('ZRANGE', timers, '0', '1', 'WITHSCORES')
  fired.next = due_after(first, own)
  if fired.next == '' or tonumber(fired.next) > shard.now then return fired end

  local due, pulls = due_now(shard, limit)
  local firing = new_firing()
  definitions.load(shard, due)
  for i = #due, 1, -1 do -- its caller settles from what it has read of that lease
    if due[i] == own then table.remove(due, i) end
  end
  shard.due = {}
  for _, member in ipairs(due) do
    shard.due[member] = true
    plan_timer(shard, firing, member, limit)
  end
  local refused = #firing.done > 0 and attempt(put_fired, shard, firing)
  if refused then
    shard.put_off = nil
    note_refusal(shard, refused)
    fire_singly(shard, due, fired, limit)
  elseif #firing.done > 0 then
    remove_fired(shard, firing, fired)
  end
  shard.due, shard.given = nil, nil
  fire_others(shard, firing, fired)
  fired.fired = fired.fired + pulls
  unblock_freed(shard)
  commit_limits(shard)
  fired.next = due_after(redis.call('ZRANGE', timers, '0', '1', 'WITHSCORES'), own)
  return fired
end
