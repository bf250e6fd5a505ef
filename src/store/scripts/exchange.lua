-- exchange: the one call a consumer makes. It settles what it finished, extends its lease and takes more.
--
-- KEYS[1]  zset    timers
-- KEYS[2]  hash    failures
-- KEYS[3]  string  awake
-- KEYS[4]  hash    config        queue → 'paused <pool>' or 'resuming <pool>'; read only where an index says so
-- KEYS[5]  string  sleeper       the drain that sleeps, as wake.lua reads it: when it looks, until when it takes and lives
-- KEYS[6]  list    stats
-- KEYS[7]  string  busy          a drain was too busy to look lately, and said so
-- ARGV[1]  root         what every key of the shard begins with
-- ARGV[2]  clock        '' or epoch ms, in tests
-- ARGV[3]  lease        the consumer's own name for it
-- ARGV[4]  ms           how long the lease lasts from now; 0 leaves its expiry as it is
-- ARGV[5]  held         how many entries the caller holds besides those it settles here; -1 where it does not say
-- ARGV[6]  want         how many more it can use; 0 only settles and extends
-- ARGV[7]  bytes        of envelopes after which the answer is full
-- ARGV[8]  ms           life of `awake` where the answer is full; 0 where the caller is no drain, -1 where it is about to end, -2 where all
--                       its handlers are busy: until one is free it does not look
-- ARGV[9]  ms           how long the caller can sleep for the next timer; where it is no drain, a delay up to this is worth waking one
-- ARGV[10] limit        of timers fired on the way
-- ARGV[11] pools        how many follow; they are emptied in the order given
-- ARGV[12] runs         of settlements alike, how many follow
-- ARGV[13] policies     of queues with limits, as limits.lua reads them; '' where there are none
-- ARGV[14] ms           how long a handler may run that the caller starts now: it takes nothing of queues whose deliveries may take longer.
--                       Where it is no drain, what a delivery may take that a drain has to be woken for
-- ARGV[…]  pools, then runs of settlements: outcome (with '+' or '-' behind it where the delivery speaks of its destination's
--          health), delay ms, kind, text, measured ('<queue> <figures>' as stats.lua has them; ''), count, then count × entry; then what the handlers of
--          acked ones enqueued: place of the settlement, how many arguments, and runs as admit.lua reads them
-- Returns  {now, when to look again (epoch ms) or '', '1' if the lease was lost, 'status of each settlement …', 'entry …',
--           {envelope of each of these entries}, '1' if there is more for this call than fitted in,
--           {entry that was cancelled while it was held, …},
--           {name, open until (epoch ms; 0: closed) of each breaker that changed, …},
--           {id, record, …} of schedules that the caller has to fire,
--           '1' if the caller, which is no drain, should start one: what it made ready or due is for drains,
--           where work is left that the caller does not take, the shortest timeout of its queues in ms, or 0 from one that ends or is
--           busy, and takes nothing; else ''}
--          A status is acked, retried, dead, released, stale (it lives on elsewhere) or gone.
-- Replay   settles nothing twice. What was taken and did not reach the caller stands in the lease above what it says it
--          holds: that is returned first and counts as taken
-- Cost     11 commands to take one message, 8 to settle it; for n messages of l lanes about 10 + l + n / 50.
--          A hundred messages come from 20 lanes, or from ten where there are more and these hold enough.
--          Grows with the entries of this lease, not with queues, lanes or backlog

-- Life of `awake` where a consumer asks for a drain, as at an enqueue; and how long none more says that it is busy.
local AWAKE_MS = 5000

local shard = { root = ARGV[1], timers = KEYS[1], failures = KEYS[2], now = clock(ARGV[2]), intake = new_intake() }
with_limits(shard, ARGV[13])
shard.life = ARGV[8] ~= '0' and tonumber(ARGV[14]) or nil
local root, now, lease = shard.root, shard.now, ARGV[3]
local ttl, holds, want = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local lease_key, lease_timer = root .. 'lease:' .. lease, 'l ' .. lease

-- Returns the runs of settlements, and where the next argument is.
local function read_runs(at, count)
  local runs, place = {}, 1
  for i = 1, count do
    local first, last = at + 6, at + 5 + tonumber(ARGV[at + 5])
    local run = { outcome = ARGV[at], first = first, last = last, place = place, settled = 0, acked = 0 }
    if run.outcome ~= 'ack' then run.outcome, run.word = string.match(run.outcome, '^(%l+)(.?)$') end
    local blank = string.find(ARGV[at + 4], ' ', 1, true)
    if blank then run.queue, run.measured = string.sub(ARGV[at + 4], 1, blank - 1), string.sub(ARGV[at + 4], blank + 1) end
    runs[i] = run
    at, place = last + 1, place + last + 1 - first
  end
  return runs, at
end

local pools = { unpack(ARGV, 15, 14 + tonumber(ARGV[11])) }
local runs, chained = read_runs(15 + #pools, tonumber(ARGV[12]))

local fired = fire(shard, tonumber(ARGV[10]), lease_timer)
local next_due = tonumber(fired.next)
local held = read_raws(lease_key)
if not held then return redis.error_reply('WRONGTYPE the lease is no list') end
local statuses, remaining, garbage, soonest = settle(shard, held, runs, ARGV)

while chained <= #ARGV do
  local first, last = chained + 2, chained + 1 + tonumber(ARGV[chained + 1])
  if statuses[tonumber(ARGV[chained])] == 'acked' then admit(shard, shard.intake, ARGV, first, last) end
  chained = last + 1
end
put_in(shard, shard.intake)
unpark_freed(shard)
soonest = math.min(soonest or math.huge, shard.intake.soonest)
if soonest < math.huge then next_due = math.min(next_due or math.huge, soonest) end
keep(lease_key, held, remaining, garbage)
commit_breakers(shard)

-- A lease with less in it than its consumer holds was swept: what it holds is another's. It must begin a new one.
if holds < 0 then holds = #remaining end
local lost = #remaining < holds

-- Newer entries stand left. What stands above those the caller knows was taken and never reached it.
local fresh, cancelled = new_taken(), {}
for i = lost and 0 or #remaining - holds, 1, -1 do add_item(fresh, remaining[i]) end
local in_transit = #fresh.entries
for i = in_transit + 1, lost and 0 or #remaining do
  if remaining[i].cancelled then cancelled[#cancelled + 1] = remaining[i].entry end
end

local missing, unfinished, promoted = lost and 0 or math.max(0, want - in_transit), false, {}
for _, pool in ipairs(pools) do
  if missing > 0 and not unfinished then missing, unfinished = take(shard, KEYS[4], pool, missing, fresh, promoted) end
end

local entries, slots = fresh.entries, fresh.slots
local envelopes = read_envelopes(root, entries, tonumber(ARGV[7]))

-- What was cancelled is dropped. What has no envelope, or came too late, becomes a dead letter. What did not fit in the answer stays in the lease: to
-- the caller it is lost in transit, and so comes first with its next exchange.
local answered, bodies, pushed, buried, failures = {}, {}, {}, {}, {}
local answers, pushes, fit = 0, 0, #envelopes
shard.intake = new_intake()
local function drop(i)
  if i <= in_transit then redis.call('LREM', lease_key, '1', fresh.raws[i]) end
  return slots[i]
end
local function bury_taken(i, header, expired)
  local entry, lane, slot = entries[i], fresh.lanes[i], drop(i)
  if header then
    slot = bury_with(shard, buried, header, entry, slot)
    end_dead(shard, shard.intake, header, id_of(entry))
  else
    buried[#buried + 1] = { queue = lane and queue_of(lane) or NO_QUEUE, entry = entry }
  end
  free(shard, slot)
  failures[#failures + 1] = failure(entry, now, expired and 'expired' or 'missing',
    expired and 'its time to live was over' or 'its envelope is gone')
end
for i = 1, #entries do
  local entry, envelope = entries[i], envelopes[i]
  local plain = i > fit or is_plain(envelope)
  local header = not plain and header_of(envelope)
  local expired = header and header.expires > 0 and header.expires <= now
  if envelope == TOMBSTONE then
    garbage[#garbage + 1] = root .. 'm:' .. id_of(entry)
    free(shard, drop(i))
  elseif not plain and (expired or not header) then
    bury_taken(i, header, expired)
  else
    if i > in_transit then
      pushes = pushes + 1
      pushed[pushes] = slots[i] and with_slot(entry, slots[i]) or entry
    end
    if i <= fit then
      answers = answers + 1
      answered[answers], bodies[answers] = entry, envelope
    end
  end
end
bury(shard, buried)
record_failures(shard, failures)
put_in(shard, shard.intake)
push_tally(KEYS[6], now)

-- A lane that waited for too long keeps its place beside the most urgent ones until it has caught up.
for lane, last in pairs(promoted) do
  local header = header_of(envelopes[last])
  if header and now - header.since >= lane.policy.max_wait then
    redis.call('ZADD', root .. 'ready:' .. lane.pool, digits(now * TICKS), lane.name)
  end
end

unfinished = unfinished or #shard.freed > 0 -- slots of what was taken and dropped
unpark_freed(shard)
for i = 1, #shard.windows, 2 do next_due = math.min(next_due or math.huge, tonumber(shard.windows[i])) end
commit_limits(shard)

-- Where nothing was taken and lanes were left, those behind them are out of reach: asking again would find the same.
unfinished = unfinished and not (shard.left and #entries == in_transit)

-- A drain that found less than it wanted waits from here on and would not see new work: that must wake another. So it is
-- with one whose budget is over, and with one whose handlers are all busy: but of these only one says so in a while.
local drains = ARGV[8] ~= '0'
local short = want > 0 and missing > 0 and not lost and not unfinished
local blind = ARGV[8] == '-1'
if ARGV[8] == '-2' then
  local said = redis.pcall('SET', KEYS[7], lease, 'NX', 'PX', digits(AWAKE_MS))
  blind = said and not (type(said) == 'table' and said.err)
end
if (short and drains) or blind then garbage[#garbage + 1] = KEYS[3] end
in_chunks('UNLINK', nil, garbage)
in_chunks('LPUSH', lease_key, pushed)
local idle = #remaining + #pushed == 0
if not idle and ttl > 0 then
  redis.call('ZADD', KEYS[1], digits(now + ttl), lease_timer)
elseif idle and #held > 0 then
  redis.call('ZREM', KEYS[1], lease_timer)
end
if want > 0 and (missing == 0 or unfinished) and not lost and tonumber(ARGV[8]) > 0 then redis.call('SET', KEYS[3], lease, 'PX', ARGV[8]) end

-- Of all that have nothing to do, the one that looks first may sleep until the next timer, or the one that can stay longest;
-- the others end.
if drains and idle and short and next_due and next_due - now <= tonumber(ARGV[9]) then
  local asleep, takes = waking.sleeper(shard, KEYS[5]), now + tonumber(ARGV[9])
  if asleep and asleep.lease ~= lease and asleep.looks <= next_due and asleep.takes >= takes then
    next_due = nil
  else
    local sleeper = table.concat({ digits(next_due), lease, digits(takes), digits(now + tonumber(ARGV[14])) }, ' ')
    redis.call('SET', KEYS[5], sleeper, 'PX', digits(math.max(1, next_due - now) + 1000))
  end
end

-- A consumer may have made something ready that is for drains. That it did so already shows where its call is a repeat: what it
-- settles is gone, or what it takes is there.
local wake = '0'
if not drains then
  local settled = table.concat(statuses, ' ')
  local repeated = in_transit > 0 or string.find(settled, 'gone', 1, true) or string.find(settled, 'stale', 1, true)
  wake = waking.ask(shard, { awake = KEYS[3], sleeper = KEYS[5] }, lease, digits(AWAKE_MS), ARGV[9], ARGV[14])
  if repeated and text_of(KEYS[3]) == lease then wake = '1' end
elseif blind and redis.call('EXISTS', root .. 'ready:' .. pools[1]) == 1 then
  shard.left = 0
end

local unseen = fit < #entries or unfinished
return { -- few texts rather than many: whoever passes the answer on pays for each
  digits(now), next_due and digits(next_due) or '', lost and '1' or '0', table.concat(statuses, ' '), table.concat(answered, ' '),
  bodies, unseen and '1' or '0', cancelled, shard.tripped, fired.schedules, wake, shard.left and digits(shard.left) or '',
}
