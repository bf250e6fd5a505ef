-- enqueue: puts messages in, all or none, once per request token.
--
-- KEYS[1]  string  req:<token>  the request, once applied: '<fingerprint> <base>', where the base is what its ids begin with
-- KEYS[2]  zset    timers
-- KEYS[3]  string  awake        somebody is draining, or was just asked to; its value is the base of who asked
-- KEYS[4]  string  sleeper      the drain that sleeps, as wake.lua reads it
-- KEYS[…]  what its caller knows of the others: m:<id>, lane:<lane>, ready:<pool>, dedup:<queue>:<digest>, callbacks:<id> of these,
--          where it asks for a lease, that and blocked:<queue> of these, and where it says an epoch, map
-- Beyond   callbacks:<id>, dead:<queue>, dedup:<queue>:<digest>, failures:<id>, lane:<lane>, m:<id>, part:<number>:<lane>,
--          parts, ready:<pool>, stats:totals, timers:<n>
-- ARGV[1]  text    root          what every key of the shard begins with
-- ARGV[2]  clock   clock         '' or epoch ms, in tests
-- ARGV[3]  text    base          of the ids that follow. Not the token: that comes again after its time, and an id never may
-- ARGV[4]  text    fingerprint   of what it asks for
-- ARGV[5]  number  recognisedMs  how long a replay is recognised
-- ARGV[6]  number  awakeMs       life of `awake`; 0 where the caller cannot start a drain: then it leaves that to others
-- ARGV[7]  number  withinMs      a delay up to this is worth waking a drain that sleeps until then
-- ARGV[8]  number  needsMs       what a delivery of these may take: a drain that sleeps has to live so much longer
-- ARGV[9]  text    lease         of a drain that its caller can begin with these at once, all of them ready and of plain push
--                                queues: where the system is idle they go there. '' where it cannot
-- ARGV[10] number  leaseMs       how long that lease lasts from now
-- ARGV[11] text    epoch         of the map of the shards by which its caller chose this one; '' where nothing was to be chosen
-- ARGV[…]  text…   segments      segments of messages alike, as admit.lua reads them
-- Returns  {'enqueued' | 'repeated' | 'mismatch', '1' if the caller should start a drain, base of the ids,
--           '<place in the request>=<id of the first>=<duplicate or replaced>' for each that met its dedup key,
--           now, where that drain has to begin with the lease; else '', header lines of what stands in it; '' where an earlier
--           try of this call has put it there}
--          {'moved', epoch of the map} where that is newer: nothing was changed
--          An error where storage refuses a write: nothing was changed. A lane that is full, or of a wrong type, blocks
--          nothing: its messages wait in timers until that is mended
-- Replay   'repeated', with the same word on waking, or '1' where nobody is awake by now; nothing is enqueued twice, whatever map
--          there is by now. 'mismatch' where the token was used for something else. Only a replay under the same base is told of
--          the lease
-- Cost     7 commands for one message; for n in l lanes about 5 + 2 l + n / 100; 2 more for each with a dedup key, 1 more
--          for each instant that is named, and 1 or 2 for a repeat. 9 where it is handed off, and where it cannot be and nobody looks. 1 more
--          with an epoch, and 4 where that is too old

--- @include clock entry lane admit overflow map wake handoff

local shard = { root = ARGV[1], timers = KEYS[2], now = clock(ARGV[2]) }
local base, fingerprint, looking = ARGV[3], ARGV[4], { awake = KEYS[3], sleeper = KEYS[4] }

local intake = new_intake()
intake.request = KEYS[1]

-- Under an older map nothing is stored. But what an earlier try has stored before the map changed is stored.
local epoch = ARGV[11] ~= '' and epoch_in(text_of(shard.root .. 'map')) or 0
if ARGV[11] ~= '' and epoch > tonumber(ARGV[11]) then
  intake.applied, intake.request = redis.call('GET', KEYS[1]), nil
  if not intake.applied then return { 'moved', digits(epoch) } end
end
admit(shard, intake, ARGV, 12, #ARGV)
local met = table.concat(intake.met, ' ')

-- What the record of an earlier call with this token says.
local function answered(record)
  local first, first_base, first_met = string.match(record, '^(%S+) (%S+) ?(.*)$')
  if first ~= fingerprint then
    waking.drop(KEYS[3], base)
    return { 'mismatch', '0', '', '', '', '' }
  end
  local ended = first_base == base and intake.fresh -- none of its messages is there any more
  local handed = ARGV[9] ~= '' and first_base == base and not ended and redis.call('EXISTS', shard.root .. 'lease:' .. ARGV[9]) == 1
  -- What was ready may wait still, and whoever was asked to drain be gone. Where nothing waits nobody has to look: who asks may be gone too.
  shard.work = intake.ready and not ended and redis.call('EXISTS', shard.root .. 'ready:*') == 1
  if not (handed or shard.work or shard.soonest) then waking.drop(KEYS[3], base) end
  local awake = text_of(KEYS[3])
  local asked = handed or awake == first_base or awake == base
  local wake = asked and '1' or waking.ask(shard, looking, first_base, ARGV[6], ARGV[7], ARGV[8])
  return { 'repeated', wake, first_base, first_met, handed and digits(shard.now) or '', '' }
end

-- All puts, into a lease where one is given. The record of the call is the last, but for what takes the place of something: without it
-- nothing counts. Where the call was applied before, one of its messages is there still, or the record is, and what was put is taken
-- back. Returns why storage refused them.
local function put(lease)
  return attempt(function()
    local fresh = put_in(shard, intake, true)
    if fresh and lease then put_leased(shard, intake, lease, ARGV[10]) end
    if fresh and redis.call('SET', KEYS[1], fingerprint .. ' ' .. base .. ' ' .. met, 'NX', 'PX', ARGV[5]) then
      undo_by(function() redis.pcall('UNLINK', KEYS[1]) end)
      return put_over(shard, intake)
    end
    intake.fresh = fresh
    intake.applied = redis.call('GET', KEYS[1]) or fingerprint .. ' ' .. base .. ' ' .. met
    error('repeated', 0)
  end)
end

-- Where somebody drains, that is told first, and by the one command that the waking takes anyway.
if ARGV[9] ~= '' and is_plain_intake(intake) and waking.claim(shard, KEYS[3], base, ARGV[6]) == '1' and is_idle(shard, intake) then
  local moves = intake.moves
  intake.moves = {}
  local refused = put(ARGV[9])
  if not refused then return { 'enqueued', '1', base, met, digits(shard.now), header_lines(intake) } end
  if not intake.applied then note_refusal(shard, refused) end
  intake.moves = moves
end

local refused = not intake.applied and put()
if intake.applied then return answered(intake.applied) end
if refused then
  note_refusal(shard, refused)
  if shard.woken == '1' then waking.drop(KEYS[3], base) end
  return redis.error_reply(refused)
end
remove_replaced(shard, intake)
overflow.spill(shard)
return { 'enqueued', waking.ask(shard, looking, base, ARGV[6], ARGV[7], ARGV[8]), base, met, '', '' }
