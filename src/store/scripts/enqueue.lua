-- enqueue: puts messages in, all or none, once per request token.
--
-- KEYS[1]  string  req:<token>  the request, once applied: '<fingerprint> <base>', where the base is what its ids begin with
-- KEYS[2]  zset    timers
-- KEYS[3]  string  awake        somebody is draining, or was just asked to; its value is the base of who asked
-- KEYS[4]  string  sleeper      '<epoch ms> …': when a drain that sleeps will look again
-- KEYS[5]  hash    failures
-- ARGV[1]  root         what every key of the shard begins with
-- ARGV[2]  clock        '' or epoch ms, in tests
-- ARGV[3]  base         of the ids that follow. Not the token: that comes again after its time, and an id never may
-- ARGV[4]  fingerprint  of what it asks for
-- ARGV[5]  ms           how long a replay is recognised
-- ARGV[6]  ms           life of `awake`
-- ARGV[7]  ms           a delay up to this is worth waking a drain that sleeps until then
-- ARGV[8…] runs of messages alike, as admit.lua reads them
-- Returns  {'enqueued' | 'repeated' | 'mismatch', '1' if the caller should start a drain, base of the ids,
--           '<place in the request>=<id of the first>=<duplicate or replaced>' for each that met its dedup key}
--          An error where storage refuses a write: nothing was changed. A lane that is full, or of a wrong type, blocks
--          nothing: its messages wait in timers until that is mended
-- Replay   'repeated', with the same word on waking; nothing is enqueued twice. 'mismatch' where the token was used
--          for something else
-- Cost     7 commands for one message; for n in l lanes about 5 + 2 l + n / 100; 2 more for each with a dedup key, 1 more
--          for each instant that is named

local shard = { root = ARGV[1], timers = KEYS[2], failures = KEYS[5], now = clock(ARGV[2]) }
local base, fingerprint = ARGV[3], ARGV[4]

local intake = new_intake()
intake.request = KEYS[1]
admit(shard, intake, ARGV, 8, #ARGV)
local met = table.concat(intake.met, ' ')

-- What the record of an earlier call with this token says.
local function answered(record)
  local first, first_base, first_met = string.match(record, '^(%S+) (%S+) ?(.*)$')
  if first ~= fingerprint then return { 'mismatch', '0', '', '' } end
  return { 'repeated', text_of(KEYS[3]) == first_base and '1' or '0', first_base, first_met }
end

-- The record of the call is its last put: without it nothing counts. Where the call was applied before, one of its messages is
-- there still, or the record is, and what was put is taken back.
local refused = not intake.applied and attempt(function()
  local fresh = put_in(shard, intake, true)
  if fresh and redis.call('SET', KEYS[1], fingerprint .. ' ' .. base .. ' ' .. met, 'NX', 'PX', ARGV[5]) then return end
  intake.applied = redis.call('GET', KEYS[1]) or fingerprint .. ' ' .. base .. ' ' .. met
  error('repeated', 0)
end)
if intake.applied then return answered(intake.applied) end
if refused then return redis.error_reply(refused) end

-- Delayed messages need a drain that sleeps until the first of them is due, unless one will look before that anyway.
local wakeable = intake.ready
if not wakeable and intake.soonest - shard.now <= tonumber(ARGV[7]) then
  local looks = tonumber(string.match(text_of(KEYS[4]), '^%d+') or '')
  wakeable = not (looks and looks > shard.now and looks <= intake.soonest)
end
local wake = wakeable and redis.pcall('SET', KEYS[3], base, 'NX', 'PX', ARGV[6]) -- refused, it wakes one too many
return { 'enqueued', wake and '1' or '0', base, met }
