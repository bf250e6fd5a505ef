-- stats: what became of messages in this call, counted by queue, and how it gets into the figures that are kept.

-- A queue's figures as text: '<name>=<number> …'. Names are acked, retried, dead, released and lapsed; w<bucket> and
-- r<bucket> count waits and runs, `wait` and `run` are their sums in ms. src/formats/histogram.ts is the other half of this.

-- Queue to what became of its messages in this call: numbers by name, and at 1 what consumers measured, as text.
local tally = {}

local function figures_of(queue)
  local figures = tally[queue] or {}
  tally[queue] = figures
  return figures
end

local function counted(queue, name, by)
  local figures = figures_of(queue)
  figures[name] = (figures[name] or 0) + (by or 1)
end

-- One of a run of settlements was settled. Those that died are counted where they are buried, the acks of a run that was measured
-- together.
local function observed(run, header, status)
  if status == 'gone' then return end
  run.settled = run.settled + 1
  if status == 'acked' and run.measured then
    run.acked = run.acked + 1
  elseif status ~= 'dead' then
    counted(type(header) == 'table' and queue_of(header.lane) or run.queue or '-', status)
  end
end

local function add_to(figures, text)
  for name, number in string.gmatch(text, '(%w+)=(%d+)') do figures[name] = (figures[name] or 0) + tonumber(number) end
end

-- What a consumer measured is that of a whole run: it counts where all of them were settled. The first of a queue stands in its
-- line as it came. Others are added up: failures of many texts are many runs, and a line has room for numbers alone.
local function count_measured(runs)
  for _, run in ipairs(runs) do
    local measured = run.measured and run.settled == run.last - run.first + 1 and run.measured
    if measured and run.acked == run.settled then
      measured = 'acked=' .. run.acked .. ' ' .. measured
    elseif run.acked > 0 then
      counted(run.queue or '-', 'acked', run.acked)
    end
    if measured then
      local figures = figures_of(run.queue)
      if figures[1] then add_to(figures, measured) else figures[1] = measured end
    end
  end
end

local function spelled(figures)
  if next(figures) == 1 and not next(figures, 1) then return figures[1] end
  local words = {}
  for name, value in pairs(figures) do words[#words + 1] = type(name) == 'number' and value or name .. '=' .. digits(value) end
  return table.concat(words, ' ')
end

-- Lines that wait to be folded: beyond so many no sweep has come for long, and the newer half is dropped. Not the older:
-- readers may have counted those, and what they were told never shrinks.
local LINES = 10000
local MINUTE_MS = 60000

-- Adds what was counted to the list, a line for each queue: '<minute> <queue> <figures>'. Never raises: figures are worth
-- no message.
local function push_tally(key, now)
  local lines, minute = {}, digits(now / MINUTE_MS)
  for queue, figures in pairs(tally) do lines[#lines + 1] = minute .. ' ' .. queue .. ' ' .. spelled(figures) end
  local length = try_in_chunks('RPUSH', key, lines)
  if type(length) == 'number' and length > LINES then redis.pcall('LTRIM', key, '0', digits(LINES / 2 - 1)) end
end
