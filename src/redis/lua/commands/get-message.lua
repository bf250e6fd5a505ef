-- get-message: one message, where it is and what went wrong with it.
--
-- KEYS[1]  zset  timers
-- KEYS[…]  what its caller knows of the others: m:<id>, failures:<id>, result:<id>
-- Beyond   dead:<queue>, lane:<lane>, part:<number>:<lane>, parts, timers:<n>
-- ARGV[1]  text  root  what every key of the shard begins with
-- ARGV[2]  text  id
-- Returns  {state, entry, due or dead since (epoch ms) or '', envelope, failures, result}: see locate for the states. Where a
--          message is leased the entry is a guess: its attempt may be one more. A result '<queue> <attempt> <at> <JSON>' is kept of
--          one that is gone, if that was asked for
-- Replay   reads only
-- Cost     6 to 14 commands; looks at no more than 2 × 10,000 entries of the lane

--- @include entry find

local place = locate({ root = ARGV[1], timers = KEYS[1] }, ARGV[2])
if place.state == 'damaged' then return redis.error_reply('WRONGTYPE where the message may be') end
local result = place.state == 'gone' and text_of(ARGV[1] .. 'result:' .. ARGV[2]) or ''
return { place.state, place.entry or '', place.at or '', place.envelope or '', place.failures or '', result }
