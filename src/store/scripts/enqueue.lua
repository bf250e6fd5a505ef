-- enqueue: puts messages in, all or none, once per request token.
--
-- KEYS[1]  string  req:<token>  the request, once applied; its value is the request's fingerprint
-- KEYS[2]  zset    timers
-- KEYS[3]  string  awake        somebody is draining, or was just asked to; its value is the token of who asked
-- ARGV[1]  root         what every key of the shard begins with
-- ARGV[2]  clock        '' or epoch ms, in tests
-- ARGV[3]  token        of this request
-- ARGV[4]  fingerprint  of what it asks for
-- ARGV[5]  ms           how long a replay is recognised
-- ARGV[6]  ms           life of `awake`
-- ARGV[7]  ms           a delay up to this is worth waking a drain that sleeps until then
-- ARGV[8…] runs of messages alike: lane, pool, most attempts, delay ms, not before (epoch ms), ttl ms (0: none), count,
--          then count × (id, JSON)
-- Returns  {'enqueued' | 'repeated' | 'mismatch', '1' if the caller should start a drain}
--          {'blocked', lane} where a lane's key is of a wrong type: nothing was changed
-- Replay   'repeated', with the same word on waking; nothing is enqueued twice. 'mismatch' where the token was used
--          for something else
-- Cost     8 commands for one message; for n in l lanes about 5 + 3 l + n / 100

local root, now = ARGV[1], clock(ARGV[2])
local token, fingerprint = ARGV[3], ARGV[4]

local moves, timers, soonest = {}, {}, nil
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
      if pool == '*' and (not soonest or delay < soonest.delay) then
        soonest = { delay = delay, member = timers[#timers] }
      end
    end
    at = at + 2
  end
  wakeable = wakeable or (pool == '*' and delay == 0)
end

for _, move in ipairs(moves) do
  if type(redis.pcall('LLEN', root .. 'lane:' .. move.lane)) == 'table' then return { 'blocked', move.lane } end
end
if not redis.call('SET', KEYS[1], fingerprint, 'NX', 'PX', ARGV[5]) then
  local first = redis.call('GET', KEYS[1])
  if first ~= fingerprint then return { 'mismatch', '0' } end
  return { 'repeated', redis.call('GET', KEYS[3]) == token and '1' or '0' }
end

in_chunks('MSET', nil, envelopes)
put_all(root, KEYS[2], now, moves)
in_chunks('ZADD', KEYS[2], timers)

-- Delayed messages need a drain that sleeps until the first of them; one that sleeps for an earlier timer sees them too.
if not wakeable and soonest and soonest.delay <= tonumber(ARGV[7]) then
  wakeable = redis.call('ZRANGE', KEYS[2], '0', '0')[1] == soonest.member
end
local wake = wakeable and redis.call('SET', KEYS[3], token, 'NX', 'PX', ARGV[6])
return { 'enqueued', wake and '1' or '0' }
