-- sweep: the repair pass. It fires due timers, and so gives back what expired leases hold.
--
-- KEYS[1]  zset  timers
-- KEYS[2]  hash  failures
-- KEYS[3]  zset  ready:<pool>  whether a drain has work
-- ARGV[1]  root     what every key of the shard begins with
-- ARGV[2]  clock    '' or epoch ms, in tests
-- ARGV[3]  limit    of timers and entries in this call; the caller repeats while anything was fired
-- Returns  {now, next due ms or '', fired, requeued, dead, '1' if lanes are ready}
-- Replay   fires what is due by then; nothing is moved twice
-- Cost     4 commands when nothing is due

local now = clock(ARGV[2])
local fired = fire(ARGV[1], KEYS[1], KEYS[2], now, tonumber(ARGV[3]), '')
local ready = redis.call('EXISTS', KEYS[3])
return { digits(now), fired.next, digits(fired.fired), digits(fired.requeued), digits(fired.dead), digits(ready) }
