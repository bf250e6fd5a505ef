-- list-breakers: the destinations that failed last, a page of them.
--
-- KEYS[1]  hash  breakers
-- Beyond   nothing: all its keys are declared
-- ARGV[1]  clock  clock   '' or epoch ms, in tests
-- ARGV[2]  text   cursor  '0' begins
-- Returns  {now, next cursor, '0' at the end, {name, '<failures in a row> <openings> <open until>', …}}
-- Replay   reads only
-- Cost     2 commands

--- @include clock

local page = redis.call('HSCAN', KEYS[1], ARGV[2], 'COUNT', '500')
return { digits(clock(ARGV[1])), page[1], page[2] }
