-- get-counters: what became of messages, step by step up to now or queue by queue. What waits to be rolled up counts.
--
-- KEYS[1]  list  stats
-- Beyond   stats:<step>
-- ARGV[1]  text    root    what every key of the shard begins with
-- ARGV[2]  clock   clock   '' or epoch ms, in tests
-- ARGV[3]  number  tier    1: steps of a minute, 2: of ten
-- ARGV[4]  number  steps   how many, the present one last; of queue by queue the last that is over
-- ARGV[5]  text    by      step: those of the queues are added up; queue: those of the steps are
-- ARGV[…]  text…   queues  queues; '*' is all of them, step by step
-- Returns  {now, the last sweep that rolled up (epoch ms) or '', {step or queue, counters, …} where there are any}
-- Replay   reads; more lines than one rollup takes are rolled up, each once
-- Cost     4 commands and 1 for each 200 steps and queues

--- @include clock entry counters rollup

local now, tier, by_queue, queues = clock(ARGV[2]), TIERS[tonumber(ARGV[3])], ARGV[5] == 'queue', {}
for i = 6, #ARGV do queues[#queues + 1] = ARGV[i] end

local last = math.floor(now / tier.step) - (by_queue and 1 or 0)
local first = last - tonumber(ARGV[4]) + 1
local wanted = {}
for step = first, last do
  local key = step_key(ARGV[1], tier, step)
  if not wanted[#wanted] or wanted[#wanted].key ~= key then wanted[#wanted + 1] = { key = key, fields = {}, names = {} } end
  local hash = wanted[#wanted]
  for _, queue in ipairs(queues) do
    hash.fields[#hash.fields + 1] = digits(step) .. ' ' .. queue
    hash.names[#hash.names + 1] = by_queue and queue or digits(step)
  end
end

-- By text: with a number of that size as its key a table is as long as it in some Luas.
local sums, answer = {}, {}
local function add(name, text)
  sums[name] = sums[name] or {}
  add_to(sums[name], text)
end

local waiting = waiting_counters(ARGV[1], KEYS[1])
for _, hash in ipairs(wanted) do
  for from = 1, #hash.fields, CHUNK do
    local to = math.min(from + CHUNK - 1, #hash.fields)
    local found = redis.pcall('HMGET', hash.key, unpack(hash.fields, from, to))
    for i = from, found.err and 0 or to do
      local text = found[i - from + 1]
      if text then add(hash.names[i], text) end
    end
  end
end
local asked = {}
for _, queue in ipairs(queues) do asked[queue] = true end
for place, counters in pairs(waiting) do
  local minute, queue = string.match(place, '^(%d+) (%S+)$')
  local step = math.floor(tonumber(minute) * MINUTE_MS / tier.step)
  if step >= first and step <= last and (asked[queue] or asked['*']) then
    add(by_queue and queue or digits(step), spelled(counters))
  end
end
for name, counters in pairs(sums) do
  answer[#answer + 1] = name
  answer[#answer + 1] = spelled(counters)
end
local swept = redis.pcall('HGET', ARGV[1] .. 'stats:totals', '!')
return { digits(now), type(swept) == 'string' and swept or '', answer }
