-- count-waiting: how much of each queue is delayed or leased, a part of all timers in each call.
--
-- KEYS[1]  zset  timers
-- Beyond   lease:<lease>, m:<id>
-- ARGV[1]  text  root    what every key of the shard begins with
-- ARGV[2]  text  cursor  '0' begins
-- Returns  {next cursor or '', {queue, delayed, leased, …} of what this call looked at, '1' if it met a mark of overflow, which is not counted}
-- Replay   reads only. What moves between two calls may be counted twice or not at all
-- Cost     1 command for each 200 timers, 1 for each lease, and 1 for each 36 messages that drains hold, or consumers of several queues; the
--          others' leases say by their names what they hold

--- @include clock entry leases

local root, counts, answer = ARGV[1], {}, {}

local function count(queue, field, by)
  counts[queue] = counts[queue] or { delayed = 0, leased = 0 }
  counts[queue][field] = counts[queue][field] + by
end

-- Keys of envelopes whose queues are not known yet, and how many bytes of such were read, in blocks: large ones take longer.
local BLOCK_BYTES = 4096
local keys, blocks = {}, 0
local function count_envelopes()
  for _, envelope in ipairs(#keys > 0 and redis.call('MGET', unpack(keys)) or {}) do
    local header = header_of(envelope)
    blocks = blocks + math.floor(#(envelope or '') / BLOCK_BYTES)
    if header then count(queue_of(header.lane), 'leased', 1) end
  end
  keys = {}
end

-- Answers how much it has looked at.
local function count_leased(lease)
  local key, only = root .. 'lease:' .. lease, string.match(lease, '^[^~]+~([^~]+)$')
  if only then
    local length = redis.pcall('LLEN', key)
    count(only, 'leased', type(length) == 'number' and length or 0)
    return 1
  end
  local raws, before = read_raws(key) or {}, blocks
  for _, raw in ipairs(raws) do
    local id, lane = string.match(raw, '^%d+r?%.(%S+) ?%S* ?(%S*)')
    local queue = id and queue_of(lane)
    if queue then count(queue, 'leased', 1) elseif id then keys[#keys + 1] = root .. 'm:' .. id end
    if #keys == READ then count_envelopes() end
  end
  return 1 + #raws + blocks - before
end

local overflows = '0'
local cursor = go_through(KEYS[1], ARGV[2], '[mhl+] *', function(member)
  if string.byte(member) == 43 then overflows = '1' return 0 end
  local lane = string.match(member, '^[mh] %S+ (%d:%S+) ')
  if lane then count(queue_of(lane), 'delayed', 1) end
  return lane and 0 or count_leased(string.sub(member, 3))
end)
count_envelopes()
for queue, of in pairs(counts) do
  answer[#answer + 1], answer[#answer + 2], answer[#answer + 3] = queue, digits(of.delayed), digits(of.leased)
end
return { cursor, answer, overflows }
