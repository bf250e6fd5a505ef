-- audit: checks one page of the shard's keys against the invariants, and repairs what it finds.
--
-- KEYS[1]  zset  timers
-- ARGV[1]  root    what every key of the shard begins with
-- ARGV[2]  clock   '' or epoch ms, in tests
-- ARGV[3]  cursor  '0' begins
-- ARGV[4]  count   keys looked at in this call, about
-- ARGV[5]  '1' to repair, '0' to report only
-- Returns  {next cursor, '0' at the end, {finding, name, …}} where a finding is
--          unindexed-lane       a lane with entries that no index has: entered
--          empty-lane           an index has a lane without entries: taken out
--          lease-without-timer  a lease that would never expire: it expires now
-- Replay   finds what is left to find
-- Cost     2 commands and about 3 for each lane and lease on the page

local root, now, repair = ARGV[1], clock(ARGV[2]), ARGV[5] == '1'
local findings = {}

local function found(finding, name)
  findings[#findings + 1] = finding
  findings[#findings + 1] = name
end

local function check_lane(lane)
  local head = redis.call('LRANGE', root .. 'lane:' .. lane, '-1', '-1')
  local header = head[1] and header_of(redis.call('GET', root .. 'm:' .. id_of(head[1])))
  local pool = header and header.pool or '*'
  if redis.call('ZSCORE', root .. 'ready:' .. pool, lane) then return end
  found('unindexed-lane', lane)
  if repair then redis.call('ZADD', root .. 'ready:' .. pool, turn(lane, now), lane) end
end

local function check_lease(lease)
  if redis.call('ZSCORE', KEYS[1], 'l ' .. lease) then return end
  found('lease-without-timer', lease)
  if repair then redis.call('ZADD', KEYS[1], digits(now), 'l ' .. lease) end
end

local function check_index(pool)
  for _, lane in ipairs(redis.call('ZRANGE', root .. 'ready:' .. pool, '0', '99')) do
    if redis.call('EXISTS', root .. 'lane:' .. lane) == 0 then
      found('empty-lane', lane)
      if repair then redis.call('ZREM', root .. 'ready:' .. pool, lane) end
    end
  end
end

local checks = { lane = check_lane, lease = check_lease, ready = check_index }
local page = redis.call('SCAN', ARGV[3], 'MATCH', root .. '*', 'COUNT', ARGV[4])
for _, key in ipairs(page[2]) do
  local kind, name = string.match(string.sub(key, #root + 1), '^(%l+):(.+)$')
  if checks[kind] then checks[kind](name) end
end
return { page[1], findings }
