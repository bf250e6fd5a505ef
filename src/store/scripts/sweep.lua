-- sweep: the repair pass. It fires due timers, and so gives back what expired leases hold, inspects a page of keys, and
-- folds the figures that exchanges left.
--
-- KEYS[1]  zset  timers
-- KEYS[2]  hash  failures
-- KEYS[3]  zset  ready:<pool>  whether a drain has work
-- KEYS[4]  list  stats
-- ARGV[1]  root     what every key of the shard begins with
-- ARGV[2]  clock    '' or epoch ms, in tests
-- ARGV[3]  limit    of timers and entries in this call; the caller repeats while anything was fired
-- ARGV[4]  cursor   of the page to inspect, '0' begins; '' inspects none
-- ARGV[5]  count    keys on that page, about
-- ARGV[6]  policies of queues with limits, as limits.lua reads them
-- ARGV[7]  note     '1' where this sweep is to be remembered though it folds nothing
-- ARGV[…]  queues that this deployment drains
-- Returns  {now, next due ms or '', fired, requeued, dead, '1' if lanes are ready, next cursor or '', {finding, name, …},
--           {id, record, …} of schedules that the caller has to fire, '1' if there is more to fold}
-- Replay   fires what is due by then; nothing is moved, and no figure counted, twice
-- Cost     5 commands when nothing is due, 1 more where that is noted; 7 to 9 more where there are figures to fold

local shard = { root = ARGV[1], timers = KEYS[1], failures = KEYS[2], now = clock(ARGV[2]) }
with_limits(shard, ARGV[6])
shard.repair, shard.findings, shard.drained = true, {}, {}
local fired = fire(shard, tonumber(ARGV[3]), '')
age(shard)

for i = 8, #ARGV do shard.drained[ARGV[i]] = true end
local next_cursor = ''
-- Only what keeps messages from moving: dead letters and timers wait for the audit, so that an idle sweep stays cheap.
if ARGV[4] ~= '' then
  next_cursor = inspect_page(shard, ARGV[4], ARGV[5], { lane = true, lease = true, ready = true, parked = true, config = true, inflight = true })
end

push_tally(KEYS[4], shard.now)
-- One command asks for both keys; which of them is there shows when there is anything at all.
local there, folded = redis.call('EXISTS', KEYS[3], KEYS[4]), nil
if there > 0 then folded = fold(ARGV[1], KEYS[4], { '!', digits(shard.now) }) end
if ARGV[7] == '1' and not folded then redis.pcall('HSET', ARGV[1] .. 'stats:totals', '!', digits(shard.now)) end
local ready = folded and there - 1 or there
return {
  digits(shard.now), fired.next, digits(fired.fired), digits(fired.requeued), digits(fired.dead), digits(ready),
  next_cursor, shard.findings, fired.schedules, folded == FOLD and '1' or '0',
}
