-- timers: firing what is due. Delayed entries go to their lanes; an expired lease gives back what it held.

-- What one expired lease held, one attempt later at the head of each lane, or dead where attempts are used up.
-- The newest entry stands left: it is pushed first, so that the oldest ends up at the head. Returns how many it held, and
-- how many of them go back to their lanes; nothing where its key has a wrong type.
local function give_back(shard, lease, moves, buried, failures, garbage)
  local root, now = shard.root, shard.now
  local held, slots = read_lease(root .. 'lease:' .. lease), {}
  if not held then return end
  local returned = 0
  for from = 1, #held, CHUNK do
    local part = {}
    for i = from, math.min(from + CHUNK - 1, #held) do
      part[#part + 1] = held[i].entry
      slots[held[i].entry] = held[i].slot
    end
    while #part > 0 do
      local envelopes = read_envelopes(root, part, 1000000)
      for i = 1, #envelopes do
        local entry, header = table.remove(part, 1), header_of(envelopes[i])
        local slot = slots[entry]
        if envelopes[i] == TOMBSTONE then
          garbage[#garbage + 1] = root .. 'm:' .. id_of(entry)
        elseif not header then
          buried[#buried + 1] = { queue = NO_QUEUE, entry = entry }
          failures[#failures + 1] = failure(entry, now, 'missing', 'its envelope is gone')
        else
          failures[#failures + 1] = failure(entry, now, 'lapsed', 'its consumer let the lease expire')
          if attempt_of(entry) < header.attempts then
            gather(moves, header.pool, header.lane, 'RPUSH', next_entry(entry))
            returned = returned + 1
            counted(queue_of(header.lane), 'lapsed')
          else
            slot = bury_with(shard, buried, header, entry, slot)
            end_dead(shard, shard.intake, header, id_of(entry))
          end
        end
        free(shard, slot)
      end
    end
  end
  return #held, returned
end

-- The next due instant in a reply of ZRANGE .. WITHSCORES, other than the caller's own lease; '' if there is none.
local function due_after(first, own)
  return (first[1] == own and first[4] or first[1] ~= own and first[2]) or ''
end

-- Fires at most `limit` due timers, where a lease counts as one and as each entry it holds. `own` is the timer of the
-- caller's lease, which a late exchange still extends as long as nobody has fired it.
-- Returns { fired = (or put off), requeued =, dead =, next = due ms or '', schedules = what read_due answers,
-- follows = whether something that follows on a death is ready for a drain }.
local function fire(shard, limit, own)
  local timers, now = shard.timers, shard.now
  local fired = { fired = 0, requeued = 0, dead = 0, schedules = {} }
  local first = redis.call('ZRANGE', timers, '0', '1', 'WITHSCORES')
  fired.next = due_after(first, own)
  if fired.next == '' or tonumber(fired.next) > now then return fired end

  local due = redis.call('ZRANGE', timers, '-inf', digits(now), 'BYSCORE', 'LIMIT', '0', digits(limit))
  local moves, returns, redeliveries, entries = {}, {}, {}, 0
  local done, garbage, put_off, buried, failures, schedules = {}, {}, {}, {}, {}, {}
  for _, member in ipairs(due) do
    local kind, pool, lane, entry = string.match(member, '^([mh]) (%S+) (%d:%S+) (%d+r?%.%S+)$')
    local lease, window = string.match(member, '^l (%S+)$'), { string.match(member, '^q (%S+) (%S+)$') }
    local schedule = string.match(member, '^s (%S+)$')
    if kind == 'h' then free(shard, { pool = pool, lane = lane, mode = 'w' }) end
    if kind == 'h' or (entry and attempt_of(entry) > 1) then
      redeliveries[#redeliveries + 1] = { pool, lane, entry }
      done[#done + 1] = member
    elseif entry then
      gather(moves, pool, lane, 'LPUSH', entry)
      done[#done + 1] = member
    elseif lease and member ~= own and entries < limit then
      local held, returned = give_back(shard, lease, returns, buried, failures, garbage)
      if held then
        entries, fired.requeued = entries + held, fired.requeued + returned
        garbage[#garbage + 1] = shard.root .. 'lease:' .. lease
        done[#done + 1] = member
      else
        put_off[#put_off + 1] = digits(now + PUT_OFF_MS)
        put_off[#put_off + 1] = member
      end
    elseif window[1] then
      done[#done + 1] = member
      local again = open_window(shard, window[1], window[2])
      if again then
        shard.windows[#shard.windows + 1] = digits(again)
        shard.windows[#shard.windows + 1] = member
      end
    elseif schedule then -- what is too much for one answer stays due
      if #schedules < DUE_SCHEDULES then schedules[#schedules + 1] = schedule end
    elseif not lease then
      put_off[#put_off + 1] = digits(now + PUT_OFF_MS)
      put_off[#put_off + 1] = member
    end
  end
  for i = #redeliveries, 1, -1 do -- they have waited already: to the head, the one due first to the very head
    gather(moves, redeliveries[i][1], redeliveries[i][2], 'RPUSH', redeliveries[i][3])
  end

  fired.schedules = read_due(shard, schedules, put_off, done)
  bury(shard, buried)
  record_failures(shard, failures)
  in_chunks('ZREM', timers, done) -- before the pushes: what cannot be pushed waits in timers again
  in_chunks('ZADD', timers, put_off)
  put_all(shard, moves)
  put_all(shard, returns) -- after the others, so that they stand before them
  put_in(shard, shard.intake)
  fired.follows = shard.intake.ready
  shard.intake = new_intake()
  in_chunks('UNLINK', nil, garbage)
  unpark_freed(shard)
  commit_limits(shard)

  fired.fired, fired.dead = #done + #put_off / 2, #buried
  fired.next = due_after(redis.call('ZRANGE', timers, '0', '1', 'WITHSCORES'), own)
  return fired
end
