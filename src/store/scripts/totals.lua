-- totals: what became of messages since ever, queue by queue. What waits to be folded counts.
--
-- KEYS[1]  list  stats
-- Beyond   stats:totals
-- ARGV[1]  root  what every key of the shard begins with
-- ARGV[…]  queues, '-' for messages whose envelope was gone
-- Returns  {the last sweep that folded (epoch ms) or '', figures or '' of each queue, …}
-- Replay   reads; more lines than one fold takes are folded, each once
-- Cost     2 commands and 1 for each 200 queues

local waiting = {}
for place, figures in pairs(unfolded(ARGV[1], KEYS[1])) do
  local queue = string.match(place, ' (%S+)$')
  waiting[queue] = waiting[queue] or {}
  add_to(waiting[queue], spelled(figures))
end

local fields, answer = { '!' }, {}
for i = 2, #ARGV do fields[i] = ARGV[i] end
for from = 1, #fields, CHUNK do
  local to = math.min(from + CHUNK - 1, #fields)
  local found = redis.pcall('HMGET', ARGV[1] .. 'stats:totals', unpack(fields, from, to))
  for i = from, to do
    local figures = waiting[fields[i]]
    answer[i] = found[i - from + 1] or ''
    if figures then
      add_to(figures, answer[i])
      answer[i] = spelled(figures)
    end
  end
end
return answer
