-- stats: what became of messages in this call, counted by queue, and how it gets into the figures that are kept.

-- A queue's figures as text: '<name>=<number> …'. Names are acked, retried, dead, released and lapsed; w<bucket> and
-- r<bucket> count waits and runs, `wait` and `run` are their sums in ms. src/figures.ts is the other half of this.

-- Queue to { name = number } of what happened in this call.
local tally = {}

local function counted(queue, name, by)
  local figures = tally[queue] or {}
  tally[queue] = figures
  figures[name] = (figures[name] or 0) + (by or 1)
end

-- What its consumer measured: '<queue> <bucket> <wait ms> <bucket> <run ms>', where a wait that nobody knows has the bucket
-- '-'; '' where it measured nothing. Those that died are counted where they are buried. So many of them were alike.
local function count_observed(header, status, measured, alike)
  local queue, waited, wait, ran, run = string.match(measured, '^(%S+) (%S+) (%d+) (%d+) (%d+)$')
  if type(header) == 'table' then queue = queue_of(header.lane) end
  if status ~= 'dead' then counted(queue or '-', status, alike) end
  if not ran then return end
  counted(queue, 'r' .. ran, alike)
  counted(queue, 'run', alike * tonumber(run))
  if waited == '-' then return end
  counted(queue, 'w' .. waited, alike)
  counted(queue, 'wait', alike * tonumber(wait))
end

local function observed(header, status, measured)
  if status ~= 'gone' then count_observed(header, status, measured, 1) end
end

-- What was simply acked, by what was measured: of those taken together most measure the same.
local acked = {}

local function spelled(figures)
  local words = {}
  for name, number in pairs(figures) do words[#words + 1] = name .. '=' .. digits(number) end
  return table.concat(words, ' ')
end

local function add_to(figures, text)
  for name, number in string.gmatch(text, '(%w+)=(%d+)') do figures[name] = (figures[name] or 0) + tonumber(number) end
end

-- Lines that wait to be folded: beyond so many no sweep has come for long, and the newer half is dropped. Not the older:
-- readers may have counted those, and what they were told never shrinks.
local LINES = 10000
local MINUTE_MS = 60000

-- Adds what was counted to the list, a line for each queue: '<minute> <queue> <figures>'. Never raises: figures are worth
-- no message.
local function push_tally(key, now)
  local lines, length = {}, 0
  for measured, alike in pairs(acked) do count_observed(nil, 'acked', measured, alike) end
  for queue, figures in pairs(tally) do
    lines[#lines + 1] = digits(now / MINUTE_MS) .. ' ' .. queue .. ' ' .. spelled(figures)
  end
  for from = 1, #lines, CHUNK do
    length = redis.pcall('RPUSH', key, unpack(lines, from, math.min(from + CHUNK - 1, #lines)))
  end
  if type(length) == 'number' and length > LINES then redis.pcall('LTRIM', key, '0', digits(LINES / 2 - 1)) end
end
