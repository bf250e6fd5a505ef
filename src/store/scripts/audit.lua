-- audit: checks one page of the shard's keys against the invariants, and repairs what it finds.
--
-- KEYS[1]  zset  timers
-- KEYS[2]  hash  failures
-- KEYS[3]  list  stats
-- ARGV[1]  root    what every key of the shard begins with
-- ARGV[2]  clock   '' or epoch ms, in tests
-- ARGV[3]  cursor  '0' begins
-- ARGV[4]  count   keys looked at in this call, about
-- ARGV[5]  '1' to repair, '0' to report only
-- ARGV[6]  '1' to look for the entry of each envelope too
-- ARGV[…]  queues that this deployment drains
-- Returns  {next cursor, '0' at the end, {finding, name, …}} where a finding is
--          unindexed-lane          a lane with entries that no index has: entered
--          empty-lane              an index has a lane without entries: taken out
--          lane-in-another-pool    a lane of a queue that was pulled and is drained now: moved
--          turn-in-the-future      a lane that would wait until a clock that was put back catches up: it gets its turn now
--          parked-lane             a lane of a queue that is not paused any more: entered
--          pause-without-mark      a paused queue that exchanges would not notice: marked
--          lease-without-timer     a lease that would never expire: it expires now
--          timer-without-lease     an expiry with nothing behind it: removed
--          schedule-without-timer  an active schedule that would never be fired: it is due as it was
--          entry-without-envelope  in a lane: it becomes a dead letter that says so
--          dead-without-envelope   a dead letter that does not say so yet: it does now
--          envelope-without-entry  a message that is in no list (only where asked for): delivered again
--          dedup-without-end       a dedup key that would stay for ever: it ends in a day
--          count-without-slots     slots that are counted otherwise than they are held: counted again
--          followers-without-message  what would follow on a message that is gone: removed
--          wrong-type              a key that nobody of ours wrote: only reported
-- Replay   finds what is left to find
-- Cost     2 commands, and about 3 for each lane, lease, index and dead set on the page; with envelopes, about 10 for each

local shard = { root = ARGV[1], timers = KEYS[1], failures = KEYS[2], now = clock(ARGV[2]), repair = ARGV[5] == '1' }
shard.findings, shard.drained = {}, {}
for i = 7, #ARGV do shard.drained[ARGV[i]] = true end
if ARGV[6] ~= '1' then inspect['m'] = nil end
local next_cursor = inspect_page(shard, ARGV[3], ARGV[4], inspect)
push_tally(KEYS[3], shard.now)
return { next_cursor, shard.findings }
