-- enqueue: puts messages in, all or none, once per request token.
--
-- KEYS[1]  string  req:<token>  the request, once applied: '<fingerprint> <base>', where the base is what its ids begin with
-- KEYS[2]  zset    timers
-- KEYS[3]  string  awake        somebody is draining, or was just asked to; its value is the base of who asked
-- KEYS[4]  string  sleeper      '<epoch ms> <lease>': when a drain that sleeps will look again
-- ARGV[1]  root         what every key of the shard begins with
-- ARGV[2]  clock        '' or epoch ms, in tests
-- ARGV[3]  base         of the ids that follow. Not the token: that comes again after its time, and an id never may
-- ARGV[4]  fingerprint  of what it asks for
-- ARGV[5]  ms           how long a replay is recognised
-- ARGV[6]  ms           life of `awake`
-- ARGV[7]  ms           a delay up to this is worth waking a drain that sleeps until then
-- ARGV[8…] runs of messages alike: lane, pool, most attempts, delay ms, not before (epoch ms), ttl ms (0: none), count,
--          then count × (id, JSON)
-- Returns  {'enqueued' | 'repeated' | 'mismatch', '1' if the caller should start a drain, base of the ids}
--          {'blocked', '0', key} where a key is of a wrong type: nothing was changed
-- Replay   'repeated', with the same word on waking; nothing is enqueued twice. 'mismatch' where the token was used
--          for something else
-- Cost     8 commands for one message; for n in l lanes about 5 + 3 l + n / 100

local root, now = ARGV[1], clock(ARGV[2])
local base, fingerprint = ARGV[3], ARGV[4]

local moves, timers, soonest = {}, {}, math.huge
local envelopes, wakeable = {}, false
local at = 8
while at <= #ARGV do
  local lane, pool, count = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 6])
  local delay, ttl = math.max(tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4]) - now), tonumber(ARGV[at + 5])
  local expires = ttl > 0 and digits(now + delay + ttl) or '0'
  local header = table.concat({ lane, pool, ARGV[at + 2], digits(now), expires }, ' ') .. '\n'
  at = at + 7
  for _ = 1, count do
    local entry = '1.' .. ARGV[at]
    envelopes[#envelopes + 1] = root .. 'm:' .. ARGV[at]
    envelopes[#envelopes + 1] = header .. ARGV[at + 1]
    if delay == 0 then
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
if not redis.call('SET', KEYS[1], fingerprint .. ' ' .. base, 'NX', 'PX', ARGV[5]) then
  local first, first_base = string.match(redis.call('GET', KEYS[1]), '^(%S+) (%S+)$')
  if first ~= fingerprint then return { 'mismatch', '0', '' } end
  return { 'repeated', text_of(KEYS[3]) == first_base and '1' or '0', first_base }
end

in_chunks('MSET', nil, envelopes)
put_all(root, KEYS[2], now, moves)
in_chunks('ZADD', KEYS[2], timers)

-- Delayed messages need a drain that sleeps until the first of them is due, unless one will look before that anyway.
if not wakeable and soonest - now <= tonumber(ARGV[7]) then
  local looks = tonumber(string.match(text_of(KEYS[4]), '^%d+') or '')
  wakeable = not (looks and looks > now and looks <= soonest)
end
local wake = wakeable and redis.call('SET', KEYS[3], base, 'NX', 'PX', ARGV[6])
return { 'enqueued', wake and '1' or '0', base }
