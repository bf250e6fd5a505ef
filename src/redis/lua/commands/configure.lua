-- configure: what operators set for a queue over its definition: whether it is paused, and its limits. Lanes of a paused queue
-- leave the index when a sync meets them; what waits comes back when that or a limit changes.
--
-- KEYS[1]  hash  config        queue → '<paused, resuming or open> <pool>[ c=<in flight>][ r=<n>/<ms>]'
-- KEYS[2]  zset  ready:<pool>  its index
-- Beyond   nothing: all its keys are declared
-- ARGV[1]  text  root         what every key of the shard begins with
-- ARGV[2]  text  queue
-- ARGV[3]  text  pool
-- ARGV[4]  flag  pause        '1' to pause, '0' to resume (syncs bring its lanes back, a bounded number each), '' to leave that as it is
-- ARGV[5]  text  concurrency  ' c=<in flight>', '' for none of its own; '-' to leave that as it is
-- ARGV[6]  text  rate         ' r=<n>/<ms>', likewise
-- Returns  '1' if that changed anything
-- Replay   '0'
-- Cost     2 to 4 commands

--- @include lane

local state, _, limits = string.match(redis.call('HGET', KEYS[1], ARGV[2]) or 'open - ', '^(%l+) (%S+)(.*)$')
local paused = state == 'paused'
if ARGV[4] ~= '' then paused = ARGV[4] == '1' end
local function kept(word, pattern) return word == '-' and (string.match(limits, pattern) or '') or word end
local wanted = kept(ARGV[5], ' c=%d+') .. kept(ARGV[6], ' r=%d+/%d+')
if paused == (state == 'paused') and wanted == limits then return '0' end

-- The mark first: alone it makes syncs look, and goes again.
redis.call('ZADD', KEYS[2], '-1', RESTRICTED)
redis.call('HSET', KEYS[1], ARGV[2], (paused and 'paused ' or 'resuming ') .. ARGV[3] .. wanted)
return '1'
