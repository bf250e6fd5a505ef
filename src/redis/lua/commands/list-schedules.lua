-- list-schedules: a page of all schedules, in no order, without their messages.
--
-- KEYS[1]  hash  schedules
-- Beyond   nothing: all its keys are declared
-- ARGV[1]  text    root    what every key of the shard begins with
-- ARGV[2]  clock   clock   '' or epoch ms, in tests
-- ARGV[3]  text    cursor  '0' begins
-- ARGV[4]  number  count   about so many
-- Returns  {now, next cursor ('0': these were the last), {id, record without its last line, …}}
-- Replay   reads only. While schedules come and go one may be on two pages
-- Cost     3 commands

--- @include clock

local page = redis.call('HSCAN', KEYS[1], ARGV[3], 'COUNT', ARGV[4])
local answer = {}
for i = 1, #page[2], 2 do
  answer[i] = page[2][i]
  answer[i + 1] = string.match(page[2][i + 1], '^([^\n]*\n[^\n]*\n[^\n]*\n[^\n]*)') or ''
end
return { digits(clock(ARGV[2])), page[1], answer }
