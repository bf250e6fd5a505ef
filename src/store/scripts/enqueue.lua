-- enqueue: puts messages in, all or none, once per request token.
--
-- KEYS[1]  string  req:<token>  the request, once applied: '<fingerprint> <base>', where the base is what its ids begin with
-- KEYS[2]  zset    timers
-- KEYS[3]  string  awake        somebody is draining, or was just asked to; its value is the base of who asked
-- KEYS[4]  string  sleeper      '<epoch ms> <lease>': when a drain that sleeps will look again
-- KEYS[5]  hash    failures
-- ARGV[1]  root         what every key of the shard begins with
-- ARGV[2]  clock        '' or epoch ms, in tests
-- ARGV[3]  base         of the ids that follow. Not the token: that comes again after its time, and an id never may
-- ARGV[4]  fingerprint  of what it asks for
-- ARGV[5]  ms           how long a replay is recognised
-- ARGV[6]  ms           life of `awake`
-- ARGV[7]  ms           a delay up to this is worth waking a drain that sleeps until then
-- ARGV[8…] runs of messages alike: lane, pool, most attempts, delay ms, not before (epoch ms), ttl ms (0: none), extras,
--          count, then count × (id, JSON). Extras are '-', or '<retention ms> <window ms> <drop or replace> <dedup digest>',
--          the digest with '!' behind it where it goes when the message is done
-- Returns  {'enqueued' | 'repeated' | 'mismatch', '1' if the caller should start a drain, base of the ids,
--           '<place in the request>=<id of the first>=<duplicate or replaced>' for each that met its dedup key}
--          {'blocked', '0', key} where a key is of a wrong type: nothing was changed
-- Replay   'repeated', with the same word on waking; nothing is enqueued twice. 'mismatch' where the token was used
--          for something else
-- Cost     8 commands for one message; for n in l lanes about 5 + 3 l + n / 100; 2 more for each with a dedup key

local root, now = ARGV[1], clock(ARGV[2])
local base, fingerprint = ARGV[3], ARGV[4]

local moves, timers, soonest = {}, {}, math.huge
local envelopes, wakeable = {}, false
local dedups, known, met, replaced, place = {}, {}, {}, {}, 0

-- The message that the key of a new one belongs to, if that is to go instead of it; and what is done with the new one.
local function first_of(key, mode)
  local id = known[key] or text_of(key)
  if id == '' then return nil end
  if mode == 'drop' or known[key] then return id, 'duplicate' end
  local where = locate(root, KEYS[2], KEYS[5], id)
  if where.state == 'ready' or where.state == 'delayed' then return id, 'replaced', where end
  return nil -- it is being worked on with what it was: the new one counts
end

local at = 8
while at <= #ARGV do
  local lane, pool, extras, count = ARGV[at], ARGV[at + 1], ARGV[at + 6], tonumber(ARGV[at + 7])
  local delay, ttl = math.max(tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4]) - now), tonumber(ARGV[at + 5])
  local expires = ttl > 0 and digits(now + delay + ttl) or '0'
  local retention, window, mode, digest = string.match(extras, '^(%d+) (%d+) (%S+) (%S+)$')
  local header = table.concat({ lane, pool, ARGV[at + 2], digits(now), expires }, ' ')
  if retention then header = header .. ' ' .. retention .. ' ' .. digest end
  at = at + 8
  for _ = 1, count do
    place = place + 1
    local entry, first, what, where = '1.' .. ARGV[at], nil, nil, nil
    if digest and digest ~= '-' then
      local key = root .. 'dedup:' .. queue_of(lane) .. ':' .. string.gsub(digest, '!', '')
      first, what, where = first_of(key, mode)
      if first then
        met[#met + 1] = digits(place) .. '=' .. first .. '=' .. what
      else
        known[key] = ARGV[at]
        dedups[#dedups + 1] = { key, ARGV[at], window }
      end
    end
    if what == 'replaced' then
      replaced[#replaced + 1] = root .. 'm:' .. first
      replaced[#replaced + 1] = string.match(where.envelope, '^[^\n]*\n') .. ARGV[at + 1]
    end
    if not first then
      envelopes[#envelopes + 1] = root .. 'm:' .. ARGV[at]
      envelopes[#envelopes + 1] = header .. '\n' .. ARGV[at + 1]
    end
    if first then
      -- nothing of it enters a list
    elseif delay == 0 then
      gather(moves, pool, lane, 'LPUSH', entry)
    else
      timers[#timers + 1] = digits(now + delay)
      timers[#timers + 1] = delayed(pool, lane, entry)
      if pool == '*' then soonest = math.min(soonest, now + delay) end
    end
    at = at + 2
  end
  wakeable = wakeable or (pool == '*' and delay == 0)
end

for _, move in ipairs(moves) do
  if type(redis.pcall('LLEN', root .. 'lane:' .. move.lane)) == 'table' then return { 'blocked', '0', move.lane } end
end
if #timers > 0 and type(redis.pcall('ZCARD', KEYS[2])) == 'table' then return { 'blocked', '0', 'timers' } end
if not redis.call('SET', KEYS[1], fingerprint .. ' ' .. base .. ' ' .. table.concat(met, ' '), 'NX', 'PX', ARGV[5]) then
  local first, first_base, first_met = string.match(redis.call('GET', KEYS[1]), '^(%S+) (%S+) ?(.*)$')
  if first ~= fingerprint then return { 'mismatch', '0', '', '' } end
  return { 'repeated', text_of(KEYS[3]) == first_base and '1' or '0', first_base, first_met }
end

in_chunks('MSET', nil, envelopes)
in_chunks('MSET', nil, replaced)
for _, dedup in ipairs(dedups) do redis.call('SET', dedup[1], dedup[2], 'PX', dedup[3]) end
put_all(root, KEYS[2], now, moves)
in_chunks('ZADD', KEYS[2], timers)

-- Delayed messages need a drain that sleeps until the first of them is due, unless one will look before that anyway.
if not wakeable and soonest - now <= tonumber(ARGV[7]) then
  local looks = tonumber(string.match(text_of(KEYS[4]), '^%d+') or '')
  wakeable = not (looks and looks > now and looks <= soonest)
end
local wake = wakeable and redis.call('SET', KEYS[3], base, 'NX', 'PX', ARGV[6])
return { 'enqueued', wake and '1' or '0', base, table.concat(met, ' ') }
