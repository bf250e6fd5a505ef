-- clock: the server's time, the only one that decides anything.

-- Epoch ms with the server's microseconds as fraction. `given` is '' but in tests, which set the clock by hand.
local function clock(given)
  if given ~= '' then return tonumber(given) end
  local time = redis.call('TIME')
  return time[1] * 1000 + time[2] / 1000
end

-- A computed number as text: `..` and tostring() keep 14 digits, which an instant does not fit in.
local function digits(number)
  return string.format('%.0f', math.floor(number))
end

-- An instant as a score. What shares a millisecond keeps its order by the fraction, in steps of which as many fit in the number:
-- ties would be broken by the bytes of the members.
local STEP = 1 / 4096
local function instant(ms)
  return string.format('%.4f', ms)
end
