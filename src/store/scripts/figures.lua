-- figures: what became of messages, step by step up to now. What waits to be folded counts.
--
-- KEYS[1]  list  stats
-- ARGV[1]  root   what every key of the shard begins with
-- ARGV[2]  clock  '' or epoch ms, in tests
-- ARGV[3]  tier   1: steps of a minute, 2: of ten
-- ARGV[4]  steps  how many, the present one last
-- ARGV[…]  queues, whose figures are added up; '*' is all of them
-- Returns  {now, the last sweep that folded (epoch ms) or '', {step, figures, …} where there are any}
-- Replay   reads; more lines than one fold takes are folded, each once
-- Cost     4 commands and 1 for each 200 steps and queues

local now, tier, queues = clock(ARGV[2]), TIERS[tonumber(ARGV[3])], {}
for i = 5, #ARGV do queues[#queues + 1] = ARGV[i] end

local last = math.floor(now / tier.step)
local wanted = {}
for step = last - tonumber(ARGV[4]) + 1, last do
  local key = step_key(ARGV[1], tier, step)
  if not wanted[#wanted] or wanted[#wanted].key ~= key then wanted[#wanted + 1] = { key = key, fields = {}, steps = {} } end
  local hash = wanted[#wanted]
  for _, queue in ipairs(queues) do
    hash.fields[#hash.fields + 1] = digits(step) .. ' ' .. queue
    hash.steps[#hash.steps + 1] = step
  end
end

-- By text: with a number of that size some tables are as long as it is.
local by_step, answer = {}, {}
local function add(step, text)
  local name = digits(step)
  by_step[name] = by_step[name] or {}
  add_to(by_step[name], text)
end

local waiting = unfolded(ARGV[1], KEYS[1])
for _, hash in ipairs(wanted) do
  for from = 1, #hash.fields, CHUNK do
    local to = math.min(from + CHUNK - 1, #hash.fields)
    local found = redis.pcall('HMGET', hash.key, unpack(hash.fields, from, to))
    for i = from, found.err and 0 or to do
      local step, text = hash.steps[i], found[i - from + 1]
      if text then add(step, text) end
    end
  end
end
local asked = {}
for _, queue in ipairs(queues) do asked[queue] = true end
for place, figures in pairs(waiting) do
  local minute, queue = string.match(place, '^(%d+) (%S+)$')
  local step = math.floor(tonumber(minute) * MINUTE_MS / tier.step)
  if step > last - tonumber(ARGV[4]) and (asked[queue] or asked['*']) then add(step, spelled(figures)) end
end
for step, figures in pairs(by_step) do
  answer[#answer + 1] = step
  answer[#answer + 1] = spelled(figures)
end
local swept = redis.pcall('HGET', ARGV[1] .. 'stats:totals', '!')
return { digits(now), type(swept) == 'string' and swept or '', answer }
