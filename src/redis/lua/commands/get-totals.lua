-- get-totals: what became of messages since ever, queue by queue. What waits to be rolled up counts.
--
-- KEYS[1]  list  stats
-- Beyond   stats:totals
-- ARGV[1]  text   root    what every key of the shard begins with
-- ARGV[…]  text…  queues  queues, '-' for messages whose envelope was gone
-- Returns  {the last sweep that rolled up (epoch ms) or '', counters or '' of each queue, …}
-- Replay   reads; more lines than one rollup takes are rolled up, each once
-- Cost     2 commands and 1 for each 200 queues

--- @include entry counters rollup

local waiting = {}
for place, counters in pairs(waiting_counters(ARGV[1], KEYS[1])) do
  local queue = string.match(place, ' (%S+)$')
  waiting[queue] = waiting[queue] or {}
  add_to(waiting[queue], spelled(counters))
end

local fields, answer = { '!' }, {}
for i = 2, #ARGV do fields[i] = ARGV[i] end
for from = 1, #fields, CHUNK do
  local to = math.min(from + CHUNK - 1, #fields)
  local found = redis.pcall('HMGET', ARGV[1] .. 'stats:totals', unpack(fields, from, to))
  for i = from, to do
    local counters = waiting[fields[i]]
    answer[i] = found[i - from + 1] or ''
    if counters then
      add_to(counters, answer[i])
      answer[i] = spelled(counters)
    end
  end
end
return answer
