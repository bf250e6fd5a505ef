-- claim-drains: places for drains that a backlog starts: who has one may start one, so that there are never more at once, however many
-- ask.
--
-- KEYS[1]  string  drains  '<place> <epoch ms until which it is taken>', and so on with blanks between
-- Beyond   nothing: all its keys are declared
-- ARGV[1]  clock   clock   '' or epoch ms, in tests
-- ARGV[2]  text    own     the place of the drain that asks; '' where it has none, and takes one, if there is any
-- ARGV[3]  text    back    places that are free from now on, with blanks between
-- ARGV[4]  number  most    drains that may be at work, its own included: where others are as many its own place is free from now on
-- ARGV[5]  number  others  how many more places it wants
-- ARGV[6]  number  places  that there are
-- ARGV[7]  number  lifeMs  how long each is taken
-- Returns  {its own place or '', place of each other that it got, …}
-- Replay   takes others, if there are any; what nobody uses is free again when its time is over
-- Cost     4 commands

--- @include clock entry at-work

local now, own, most = clock(ARGV[1]), ARGV[2], tonumber(ARGV[4])
local left, life, taken, got, count = tonumber(ARGV[5]), tonumber(ARGV[7]), drains_at_work(KEYS[1], now), {}, 0
for place in string.gmatch(own .. ' ' .. ARGV[3], '%d+') do taken[place] = nil end
for _ in pairs(taken) do count = count + 1 end

local function take(place)
  taken[place] = now + life
  count = count + 1
  return place
end

local function take_free()
  for i = 0, tonumber(ARGV[6]) - 1 do
    if not taken[digits(i)] then return take(digits(i)) end
  end
end

if count >= most then
  own = ''
elseif own == '' then
  own = take_free() or ''
else
  take(own)
end
while left > 0 and count < most do
  local place = take_free()
  if not place then break end
  got[#got + 1] = place
  left = left - 1
end
local words, last = {}, now
for place, ends in pairs(taken) do
  words[#words + 1] = place .. ' ' .. digits(ends)
  last = math.max(last, ends)
end
if #words == 0 then
  redis.call('UNLINK', KEYS[1])
else -- where storage refuses it, more drains may be started than there are places
  redis.pcall('SET', KEYS[1], table.concat(words, ' '), 'PX', digits(last - now + 1))
end
return { own, unpack(got) }
