-- sync: the one call a consumer makes. It settles what it finished, extends its lease and takes more.
--
-- KEYS[1]  zset    timers
-- KEYS[2]  string  awake
-- KEYS[3]  hash    config        queue → 'paused <pool>' or 'resuming <pool>'; read only where an index says so
-- KEYS[4]  string  sleeper       the drain that sleeps, as wake.lua reads it: when it looks, until when it takes and lives
-- KEYS[5]  list    stats
-- KEYS[6]  string  busy          a drain was too busy to look lately, and said so
-- KEYS[…]  what its caller knows of the others: its lease, the indexes of its pools, the claim, policies:<digest>, m:<id>,
--          failures:<id> and result:<id> of what it settles, and of what comes with that as an enqueue
-- Beyond   blocked:<queue>, breakers, callbacks:<id>, damaged:<key>, dead:<queue>, dedup:<queue>:<digest>, failures:<id>,
--          inflight, lane:<lane>, lease:<lease>, m:<id>, part:<number>:<lane>, parts, policies:<digest>, rate:<period>:<name>,
--          ready:<pool>, schedules, stats:totals, timers:<n>
-- ARGV[1]   text    root      what every key of the shard begins with
-- ARGV[2]   clock   clock     '' or epoch ms, in tests
-- ARGV[3]   text    lease     the consumer's own name for it
-- ARGV[4]   number  leaseMs   how long the lease lasts from now; 0 leaves its expiry as it is
-- ARGV[5]   number  held      how many entries the caller holds besides those it settles here; -1 where it does not say
-- ARGV[6]   number  want      how many more it can use; 0 only settles and extends
-- ARGV[7]   number  bytes     of envelopes after which the answer is full
-- ARGV[8]   number  awakeMs   life of `awake` where the answer is full; 0 where the caller is no drain, -1 where it is about to end, -2 where all
--                             its handlers are busy: until one is free it does not look
-- ARGV[9]   number  sleepMs   how long the caller can sleep for the next timer; where it is no drain, a delay up to this is worth waking one
-- ARGV[10]  number  fires     of timers fired on the way
-- ARGV[11]  number  pools     how many follow; they are emptied in the order given
-- ARGV[12]  number  segments  of settlements alike, how many follow
-- ARGV[13]  text    policies  of queues with limits, as definitions.lua reads them; '' where there are none
-- ARGV[14]  number  lifeMs    how long a handler may run that the caller starts now: it takes nothing of queues whose deliveries may take longer.
--                             Where it is no drain, what a delivery may take that a drain has to be woken for
-- ARGV[15]  text    name      of a drain, by which it sleeps, whatever its leases are. Else a claim: a name under which no other lease may begin as
--                             long as this one lasts; '' where there is none
-- ARGV[16]  number  keeps     where a drain takes less than it wants, but something, and no more than so many, it looks again in a moment, and `awake`
--                             stays for that; 0 where it does not. -1 where nobody counts on it, since it found less before: `awake` is another's
-- ARGV[17]  flag    horizon   '1' asks how urgent the first lane is that is left
-- ARGV[…]   text…   more      pools, then segments of settlements: outcome (with '+' or '-' behind it where the delivery speaks of its destination's
--                             health), delay ms, kind, text, measured ('<queue> <counters>' as counters.lua has them; ''), count, then count × entry; then what the handlers of
--                             acked ones enqueued: place of the settlement, how many arguments, and segments as admit.lua reads them
-- Returns  {now, when to look again (epoch ms) or '', '1' if the lease was lost, 'status of each settlement …', 'entry …',
--           {envelope of each of these entries}, '1' if there is more for this call than fitted in,
--           {entry that was cancelled while it was held, …},
--           {name, open until (epoch ms; 0: closed) of each breaker that changed, …},
--           {id, record, …} of schedules that the caller has to fire,
--           '1' if the caller, which is no drain, should start one: what it made ready or due is for drains,
--           where work is left that the caller does not take, the shortest timeout of its queues in ms, or 0 from one that ends or is
--           busy, and takes nothing; else '', why storage refused a part of this, or '',
--           where it was asked the priority of the first lane left that the caller may be given: '' where there is none}
--          {'unknown'} where the policies are not there under their digest: nothing was done
--          {'mismatch'} where another lease has begun under the claim: nothing was done
--          A status is acked, retried, dead, released, stale (it lives on elsewhere) or gone.
-- Replay   settles nothing twice. What was taken and did not reach the caller stands in the lease above what it says it
--          holds: that is returned first and counts as taken; to a consumer that is no drain no more of it than it wants.
--          A release is the one that has to come in time: where its message was given to the same lease again meanwhile, under the
--          same attempt, a late copy gives it back once more, and it is delivered twice
-- Cost     11 commands to take one message, 8 to settle it; for n messages of l lanes about 10 + l + n / 50. A claim is one more, and policies
--          under their digest are two. A horizon is one more for each pool, and none where the caller was given all there is.
--          A hundred messages come from 20 lanes, or from ten where there are more and these hold enough.
--          Grows with the entries of this lease, not with queues, lanes or backlog

--- @include clock entry lane lease parts definitions limits breaker counters dead admit overflow timers settle take wake

-- Life of `awake` where a consumer asks for a drain, as at an enqueue; and how long none more says that it is busy.
local AWAKE_MS = 5000

local shard = { root = ARGV[1], timers = KEYS[1], now = clock(ARGV[2]) }
with_limits(shard, ARGV[13])
shard.life = ARGV[8] ~= '0' and tonumber(ARGV[14]) or nil
local root, now, lease = shard.root, shard.now, ARGV[3]
local ttl, holds, want = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local lease_key, lease_timer = root .. 'lease:' .. lease, 'l ' .. lease

-- Returns the segments of settlements, and where the next argument is.
local function read_segments(at, count)
  local segments, place = {}, 1
  for i = 1, count do
    local first, last = at + 6, at + 5 + tonumber(ARGV[at + 5])
    local segment = { outcome = ARGV[at], first = first, last = last, place = place, settled = 0, acked = 0 }
    if segment.outcome ~= 'ack' then segment.outcome, segment.health = string.match(segment.outcome, '^(%l+)(.?)$') end
    local blank = string.find(ARGV[at + 4], ' ', 1, true)
    if blank then segment.queue, segment.measured = string.sub(ARGV[at + 4], 1, blank - 1), string.sub(ARGV[at + 4], blank + 1) end
    segments[i] = segment
    at, place = last + 1, place + last + 1 - first
  end
  return segments, at
end

local pools = { unpack(ARGV, 18, 17 + tonumber(ARGV[11])) }
local segments, chained = read_segments(18 + #pools, tonumber(ARGV[12]))

local held = read_raws(lease_key)
if not held then return redis.error_reply('WRONGTYPE the lease is no list') end
if not definitions.load(shard, held) then return { 'unknown' } end
if ARGV[8] == '0' and ARGV[15] ~= '' then
  local claim = root .. 'req:' .. ARGV[15]
  local begun = redis.call('SET', claim, lease, 'NX', 'PX', ARGV[4]) or redis.call('GET', claim) == lease
  if not begun then return { 'mismatch' } end
end

-- What handlers of acked ones enqueued: by the place of the settlement where its arguments begin and end.
local function read_chained(at)
  local by_place = {}
  while at <= #ARGV do
    local last = at + 1 + tonumber(ARGV[at + 1])
    by_place[tonumber(ARGV[at])] = { at + 2, last }
    at = last + 1
  end
  return by_place
end

local fired = fire(shard, tonumber(ARGV[10]), lease_timer)
local next_due = tonumber(fired.next)
local settled = settle(shard, held, segments, read_chained(chained), ARGV)
local statuses, remaining, garbage = settled.statuses, settled.remaining, settled.garbage
unblock_freed(shard)
if settled.soonest < math.huge then next_due = math.min(next_due or math.huge, math.floor(settled.soonest)) end
keep(lease_key, held, remaining, garbage)
breaker.commit(shard)

-- A lease with less in it than its consumer holds was swept: what it holds is another's. It must begin a new one.
local others = settled.others
if holds < 0 then holds = #others end
local lost = #others < holds

-- Newer entries stand left. What stands above those the caller knows was taken and never reached it; what it names it knows, wherever
-- that stands: a call that is repeated may have given back and taken it anew. A consumer elsewhere gets no more of it than it
-- wants: it may have no room.
local fresh, cancelled, above = new_taken(), {}, lost and 0 or #others - holds
local in_transit = ARGV[8] == '0' and math.min(above, want) or above
for i = above, above - in_transit + 1, -1 do
  local place = #fresh.entries + 1
  fresh.entries[place], fresh.slots[place], fresh.raws[place] = others[i].entry, others[i].slot, others[i].raw
end
for i = above + 1, lost and 0 or #others do
  if others[i].cancelled then cancelled[#cancelled + 1] = others[i].entry end
end

-- What becomes of what was taken: answered as far as it fits, left where it was, or at its end. The first `again` of the answered
-- ones stand in the lease with none between them that goes: so many its consumer has for sure, whatever storage refuses.
local outcome = {
  answered = {}, bodies = {}, envelopes = {}, pushed = {}, dropped = {}, buried = {}, failures = {}, ended = {}, garbage = {},
  intake = new_intake(), seen = 0, instead = 0, again = 0, bytes = tonumber(ARGV[7]),
}

-- It is not given out: what it had is free, and its place in the lease or the lane goes when all is stored.
local function drop(i, freed)
  outcome.dropped[i], outcome.gap = true, outcome.gap or i <= in_transit
  if i <= in_transit then return free(shard, freed) end
  outcome.instead = outcome.instead + 1
  unuse(shard, fresh.pools[fresh.lanes[i]], fresh.lanes[i], freed)
end

-- What has no envelope, or came too late, becomes a dead letter.
local function bury_taken(i, header, expired)
  local entry, lane, freed = fresh.entries[i], fresh.lanes[i], fresh.slots[i]
  if header then
    freed = bury_with(outcome.buried, header, entry, freed)
    outcome.ended[#outcome.ended + 1] = { header, id_of(entry) }
  else
    outcome.buried[#outcome.buried + 1] = { queue = lane and queue_of(lane) or NO_QUEUE, entry = entry }
  end
  outcome.failures[#outcome.failures + 1] = failure(entry, now, expired and 'expired' or 'missing',
    expired and 'its time to live was over' or 'its envelope is gone')
  drop(i, freed)
end

-- One whose envelope was read.
local function judge_one(i, envelope)
  local entry = fresh.entries[i]
  local plain = is_plain(envelope)
  local header = not plain and header_of(envelope)
  -- What was taken in time is in time, also where its answer was lost.
  local expired = i > in_transit and header and header.expires > 0 and header.expires <= now and not has_failed(entry)
  if envelope == TOMBSTONE then
    outcome.garbage[#outcome.garbage + 1] = root .. 'm:' .. id_of(entry)
    drop(i, fresh.slots[i])
  elseif not plain and (expired or not header) then
    bury_taken(i, header, expired)
  else
    if i > in_transit then outcome.pushed[#outcome.pushed + 1] = fresh.slots[i] and with_slot(entry, fresh.slots[i]) or entry end
    outcome.answered[#outcome.answered + 1], outcome.bodies[#outcome.bodies + 1] = entry, envelope
    if i <= in_transit and not outcome.gap then outcome.again = #outcome.answered end
  end
end

-- Looks at what was taken last. Returns whether the answer is full.
local function judge()
  local skip = outcome.seen
  local envelopes = read_envelopes(root, fresh.entries, outcome.bytes, skip)
  for i, envelope in ipairs(envelopes) do
    outcome.envelopes[skip + i], outcome.bytes = envelope, outcome.bytes - (envelope and #envelope or 0)
    judge_one(skip + i, envelope)
  end
  outcome.seen = skip + #envelopes
  return outcome.seen < #fresh.entries
end

-- Rounds of one call: of what was taken a part is at its end already, and others are taken instead.
local ROUNDS = 10

local counts, counted_before = {}, shard.inflight -- of slots, before anything is taken
for name, by in pairs(shard.moved) do counts[name] = by end
local missing, unfinished, full, promoted = lost and 0 or math.max(0, want - in_transit), false, false, {}
for round = 1, ROUNDS do
  local instead = outcome.instead
  for _, pool in ipairs(pools) do
    if missing > 0 and not unfinished then missing, unfinished = take(shard, KEYS[3], pool, missing, fresh, promoted) end
  end
  full = judge()
  if full or unfinished or outcome.instead == instead then break end
  missing, unfinished = missing + outcome.instead - instead, round == ROUNDS
  unblock_freed(shard)
end
-- What does not fit in the answer stays where it is: in its lane, or in the lease, where to the caller it is lost in transit.
for i = #fresh.entries, math.max(outcome.seen, in_transit) + 1, -1 do untake(shard, fresh, i) end
unfinished = unfinished or #shard.freed > 0 -- slots of what was taken and dropped
unblock_freed(shard)
for i = 1, #shard.windows, 2 do next_due = math.min(next_due or math.huge, tonumber(shard.windows[i])) end

-- All puts of what was taken: nothing has left its lane yet.
local function put_taken()
  shard.given = {} -- these stand in their lanes still, but nobody may take their place any more
  for i = in_transit + 1, #outcome.ended > 0 and #fresh.entries or 0 do shard.given[id_of(fresh.entries[i])] = true end
  for _, ended in ipairs(outcome.ended) do end_dead(shard, outcome.intake, outcome.garbage, ended[1], ended[2]) end
  bury(shard, outcome.buried)
  put_in(shard, outcome.intake)
  push_left(lease_key, outcome.pushed)
  if outcome.stays and ttl > 0 then
    redis.call('ZADD', KEYS[1], instant(now + ttl), lease_timer)
    undo_by(function()
      if #remaining == 0 then redis.pcall('ZREM', KEYS[1], lease_timer) end
    end)
  end
  commit_limits(shard, true)
  put_over(shard, outcome.intake)
  record_failures(shard, outcome.failures)
end

-- Behind the puts: what was taken leaves its lane, lanes that have to wait or are empty leave their index.
local function remove_taken()
  for _, move in ipairs(outcome.intake.moves) do -- what follows on a death may stand in a lane that was to be empty
    fresh.more[move.lane] = true
    if not shard.blocked[move.lane] then shard.leaving[move.lane] = nil end
  end
  for lane, walk in pairs(fresh.walks) do
    fresh.gone[lane] = nil
    long.leave(root, walk.top)
  end
  for lane, gone in pairs(fresh.gone) do
    local key = root .. 'lane:' .. lane
    if gone > 0 and fresh.more[lane] then redis.call('LTRIM', key, '0', digits(-gone - 1)) end
    if gone > 0 and not fresh.more[lane] then garbage[#garbage + 1] = key end
  end
  local leaving = {}
  for lane, index in pairs(shard.leaving) do
    leaving[index] = leaving[index] or {}
    leaving[index][#leaving[index] + 1] = lane
  end
  for index, lanes in pairs(leaving) do in_chunks('ZREM', index, lanes) end
  for _, lane in ipairs(fresh.emptied) do redis.call('ZREM', root .. 'blocked:' .. queue_of(lane), lane) end
  for i = 1, in_transit do
    if outcome.dropped[i] then redis.call('LREM', lease_key, '1', fresh.raws[i]) end
  end
  for _, key in ipairs(outcome.garbage) do garbage[#garbage + 1] = key end
  count_buried(shard, outcome.buried)
  remove_replaced(shard, outcome.intake)
  -- A lane that waited for too long keeps its place beside the most urgent ones until it has caught up.
  for lane, last in pairs(promoted) do
    local header, policy = header_of(outcome.envelopes[last]), lane.policy
    local stays = fresh.more[lane.name] and not shard.leaving[lane.name] -- else it is empty, or blocked by what this call took
    if header and policy and policy.max_wait and stays and now - header.since >= policy.max_wait then
      redis.pcall('ZADD', root .. 'ready:' .. lane.pool, digits(now * TICKS), lane.name)
    end
  end
end

-- Storage refuses: all stays where it is, and the answer has what the lease had. A consumer that counted more than stand below what
-- was to go would be given the same once more.
local function leave_taken()
  for lane in pairs(shard.leaving) do
    if shard.blocked[lane] then redis.pcall('ZREM', shard.blocked[lane], lane) end
  end
  for i = #outcome.answered, outcome.again + 1, -1 do outcome.answered[i], outcome.bodies[i] = nil, nil end
  outcome.pushed, outcome.intake, shard.moved, shard.rates = {}, new_intake(), counts, {}
  shard.inflight = counted_before -- the counts may be written already, with those of what was to be taken
  outcome.stays = #remaining > 0
  commit_limits(shard)
end

local dropped_from_lease = 0
for i = 1, in_transit do dropped_from_lease = dropped_from_lease + (outcome.dropped[i] and 1 or 0) end
outcome.stays = #remaining - dropped_from_lease + #outcome.pushed > 0
if #outcome.pushed > 0 and #remaining == 0 and #garbage > 0 then -- the lease is begun anew
  in_chunks('UNLINK', nil, garbage)
  garbage = {}
end
local refused = attempt(put_taken)
if refused then leave_taken() else remove_taken() end
if refused or settled.refused then note_refusal(shard, refused or settled.refused) end
-- Where nothing was taken and lanes were left, those behind them are out of reach: asking again would find the same.
unfinished = unfinished and not (shard.left and #fresh.entries == in_transit)
-- What follows on a death of this call came too late to be taken, and a place in the lease may have become free: a drain looks again.
unfinished = unfinished or (outcome.intake.ready and ARGV[8] ~= '0') or dropped_from_lease > 0
if outcome.intake.soonest < math.huge then next_due = math.min(next_due or math.huge, math.floor(outcome.intake.soonest)) end
push_counters(KEYS[5], now)

-- A drain that found less than it wanted waits from here on and would not see new work: that must wake another. One that found something looks
-- once more, when it settles that: what comes until then is for it, or each message of a steady trickle would wake a drain. Those whose budget
-- is over wait too, and those whose handlers are all busy: but of these only one says so in a while.
local drains = ARGV[8] ~= '0'
local short = want > 0 and missing > 0 and not lost and not unfinished and not full and not refused
local blind = ARGV[8] == '-1'
if ARGV[8] == '-2' then
  local said = redis.pcall('SET', KEYS[6], lease, 'NX', 'PX', digits(AWAKE_MS))
  blind = said and not (type(said) == 'table' and said.err)
end
local keeps = ARGV[16] == '-1' or #outcome.answered > 0 and #outcome.answered <= tonumber(ARGV[16]) and not shard.left
if (short and drains and not keeps) or blind then garbage[#garbage + 1] = KEYS[2] end
in_chunks('UNLINK', nil, garbage)
if not outcome.stays and #held > 0 then redis.call('ZREM', KEYS[1], lease_timer) end
if want > 0 and (missing == 0 or unfinished) and not lost and tonumber(ARGV[8]) > 0 then redis.pcall('SET', KEYS[2], lease, 'PX', ARGV[8]) end

-- Of all that have nothing to do, the one that looks first may sleep until the next timer, or the one that can stay longest;
-- the others end.
if drains and not outcome.stays and short and next_due and next_due - now <= tonumber(ARGV[9]) then
  local asleep, takes = waking.sleeper(shard, KEYS[4]), now + tonumber(ARGV[9])
  if asleep and asleep.name ~= ARGV[15] and asleep.looks <= next_due and asleep.takes >= takes then
    next_due = nil
  else
    local sleeper = table.concat({ digits(next_due), ARGV[15], digits(takes), digits(now + tonumber(ARGV[14])) }, ' ')
    redis.pcall('SET', KEYS[4], sleeper, 'PX', digits(math.max(1, next_due - now) + 1000))
  end
end

-- A consumer may have made something ready that is for drains. That it did so already shows where its call is a repeat: what it
-- settles is gone, or what it takes is there.
local wake = '0'
if not drains then
  local told = table.concat(statuses, ' ')
  local repeated = in_transit > 0 or string.find(told, 'gone', 1, true) or string.find(told, 'stale', 1, true)
  wake = waking.ask(shard, { awake = KEYS[2], sleeper = KEYS[4] }, lease, digits(AWAKE_MS), ARGV[9], ARGV[14])
  if repeated and text_of(KEYS[2]) == lease then wake = '1' end
elseif blind and redis.call('EXISTS', root .. 'ready:' .. pools[1]) == 1 then
  shard.left = 0
end
overflow.spill(shard)

local answer = { -- few texts rather than many: whoever passes the answer on pays for each
  digits(now), next_due and digits(next_due) or '', lost and '1' or '0', table.concat(statuses, ' '),
  table.concat(outcome.answered, ' '), outcome.bodies, (full or unfinished or above > in_transit) and '1' or '0', cancelled, shard.transitions,
  fired.schedules, wake, shard.left and digits(shard.left) or '', refused or settled.refused or '',
}
if ARGV[17] == '1' then answer[#answer + 1] = definitions.horizon(shard, short and {} or pools) end
return answer
