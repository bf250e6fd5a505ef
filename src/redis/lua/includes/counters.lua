-- counters: what became of messages in this call, counted by queue, and how it gets into the counters that are kept.

--- @include clock entry

-- A queue's counters as text: '<name>=<number> …'. Names are acked, retried, dead, released and leaseExpired; w<bucket> and
-- r<bucket> count waits and runs, `wait` and `run` are their sums in ms. src/formats/histogram.ts is the other half of this.

-- Queue to what became of its messages in this call: numbers by name, and at 1 what consumers measured, as text.
local counters_by_queue = {}

local function counters_of(queue)
  local counters = counters_by_queue[queue] or {}
  counters_by_queue[queue] = counters
  return counters
end

local function counted(queue, name, by)
  local counters = counters_of(queue)
  counters[name] = (counters[name] or 0) + (by or 1)
end

-- One of a segment of settlements was settled. Those that died are counted where they are buried, the acks of a segment that was measured
-- together.
local function observed(segment, header, status)
  if status == 'gone' then return end
  segment.settled = segment.settled + 1
  if status == 'acked' and segment.measured then
    segment.acked = segment.acked + 1
  elseif status ~= 'dead' then
    counted(type(header) == 'table' and queue_of(header.lane) or segment.queue or '-', status)
  end
end

local function add_to(counters, text)
  for name, number in string.gmatch(text, '(%a%w*)=(%d+)') do counters[name] = (counters[name] or 0) + tonumber(number) end
end

-- What a consumer measured is that of a whole segment: it counts where all of them were settled. The first of a queue stands in its
-- line as it came. Others are added up: failures of many texts are many segments, and a line has room for numbers alone.
local function count_measured(segments)
  for _, segment in ipairs(segments) do
    local measured = segment.measured and segment.settled == segment.last - segment.first + 1 and segment.measured
    if measured and segment.acked == segment.settled then
      measured = 'acked=' .. segment.acked .. ' ' .. measured
    elseif segment.acked > 0 then
      counted(segment.queue or '-', 'acked', segment.acked)
    end
    if measured then
      local counters = counters_of(segment.queue)
      if counters[1] then add_to(counters, measured) else counters[1] = measured end
    end
  end
end

local function spelled(counters)
  if next(counters) == 1 and not next(counters, 1) then return counters[1] end
  local words = {}
  for name, value in pairs(counters) do words[#words + 1] = type(name) == 'number' and value or name .. '=' .. digits(value) end
  return table.concat(words, ' ')
end

-- Lines that wait to be rolled up: beyond so many no sweep has come for long, and the newer half is dropped. Not the older:
-- readers may have counted those, and what they were told never shrinks.
local LINES = 10000
local MINUTE_MS = 60000

-- Adds what was counted to the list, a line for each queue: '<minute> <queue> <counters>'. Never raises: counters are worth
-- no message. Parcels for other shards, of the queue '>', are nobody's messages.
local function push_counters(key, now)
  local lines, minute = {}, digits(now / MINUTE_MS)
  counters_by_queue['>'] = nil
  for queue, counters in pairs(counters_by_queue) do lines[#lines + 1] = minute .. ' ' .. queue .. ' ' .. spelled(counters) end
  local length = try_in_chunks('RPUSH', key, lines)
  if type(length) == 'number' and length > LINES then redis.pcall('LTRIM', key, '0', digits(LINES / 2 - 1)) end
end
