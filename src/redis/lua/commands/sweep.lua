-- sweep: the repair pass. It fires due timers, and so gives back what expired leases hold, inspects a page of keys and those whose
-- names it knows, looks for messages in no list now and then, and rolls up the counters that syncs left.
--
-- KEYS[1]  zset  timers
-- KEYS[2]  zset  ready:<pool>  whether a drain has work
-- KEYS[3]  list  stats
-- KEYS[…]  what its caller knows of the others: policies:<digest>
-- Beyond   blocked:<queue>, callbacks:<id>, config, damaged:<key>, dead:<queue>, dedup:<queue>:<digest>, failures:<id>,
--          inflight, lane:<lane>, lease:<lease>, m:<id>, part:<number>:<lane>, parts, policies:<digest>, rate:<period>:<name>,
--          ready:<pool>, schedules, stats:totals, strays, timers:<n>
-- ARGV[1]  text    root      what every key of the shard begins with
-- ARGV[2]  clock   clock     '' or epoch ms, in tests
-- ARGV[3]  number  limit     of timers and entries in this call; the caller repeats while anything was fired
-- ARGV[4]  text    cursor    of the page to inspect, '0' begins, '?' is where the last noted sweep stood; '' inspects nothing
-- ARGV[5]  number  count     keys on that page, about
-- ARGV[6]  text    policies  of queues with limits, as definitions.lua reads them
-- ARGV[7]  flag    note      '1' where this sweep is to be remembered though it rolls up nothing, and with it where it stood and the queues, if
--                            the last one is some minutes ago; with '?' as well
-- ARGV[8]  number  round     which part of what is too long to be looked at whole; with '?' the noted one counts
-- ARGV[9]  text    queues    of this deployment: '\n<queue> <pool>' for each; '' where the policies are under their digest
-- Returns  {now, next due ms or '', fired, requeued, dead, '1' if lanes are ready, next cursor or '', {finding, name, …},
--           {id, record, …} of schedules that the caller has to fire, '1' if there is more to roll up, next round, which schedules
--           of code were registered last ('-': not looked at), when a sweep was noted last, epoch of the map of the shards: '' where
--           there is none, or it was not asked what was noted}
--          {'unknown'} where the policies are not there under their digest: nothing was done
-- Replay   fires what is due by then; nothing is moved, and no counter counted, twice
-- Cost     4 commands when nothing is due, 1 more where it asks what was noted, and 1, for each 100 queues, where that is done; 1 more
--          where one page does not hold all keys; 8 to 10 more where there are counters to roll up. Once an hour 1 more, and a look for
--          strays that begins then is some 25 a step beside them. Of keys known by name that are there: 2 for an index, 5 for
--          blocked lanes of a queue, 3 for what operators set, 2 and one for each lease for the counts of slots; once an hour 1 for 100
--          queues, and 1 for each that has dead letters, for what it keeps no longer. Policies under their digest are 3 more

--- @include format clock entry there definitions limits counters rollup dead letters timers check keys named strays noted age

local shard = { root = ARGV[1], timers = KEYS[1], now = clock(ARGV[2]) }
with_limits(shard, ARGV[6])
with_findings(shard, true, ARGV[9])
local root, inspects = shard.root, ARGV[4] ~= ''
local unknown = asked_format()
local last = last_noted(shard, ARGV[4], tonumber(ARGV[8]), unknown or ARGV[4] == '?' or ARGV[7] == '1')
local refused = unknown and admit_format(root, last.format, last.swept)
if refused then return refused end

-- Of queues that Redis keeps each sweep looks at some by name, another page in each round.
local page = shard.digest and '@' .. digits(last.round % shard.pages)
if not definitions.load(shard, {}, { page }) then return { 'unknown' } end
local queues = {}
for queue in string.gmatch(page and shard.defined[page] or '', '%S+') do queues[#queues + 1] = queue end
definitions.load(shard, {}, queues)
for _, queue in ipairs(queues) do shard.pools[queue] = definitions.pool_of(shard, queue) end

local cursor, round, notes = last.cursor, last.round, last.is_hourly or (inspects and last.is_old)

local fired = fire(shard, tonumber(ARGV[3]), '')
age(shard, round)

-- Only what keeps messages from moving: dead letters and timers wait for the audit, so that an idle sweep stays cheap.
local function sweep_page()
  local names, after = names_from(shard, cursor, ARGV[5])
  if cursor == '0' and after == '0' and #names > 0 then shard.names = {} end -- these are all
  cursor = after
  for _, name in ipairs(names) do
    local kind, rest = kind_of(name)
    if shard.names then shard.names[root .. name] = true end
    local strange = rest and not own_pool(shard, rest)
    if kind == 'lane' or kind == 'part' or kind == 'lease' or (rest and kind == 'timers') or (strange and (kind == 'blocked' or (kind == 'ready' and rest ~= '*'))) then
      sweep_key(shard, kind, rest)
    elseif strange and kind == 'dead' then
      met(shard, letters.queue(rest), '*')
    end
  end
end
if inspects then sweep_page() end
if shard.names and last.registered ~= '-' and not shard.names[root .. 'schedules'] then last.registered = '' end

-- What a queue keeps no longer. Which have parts is asked along with which have letters.
local function discard_letters()
  local keys, divided, seen = { root .. 'parts' }, {}, {}
  for queue in pairs(shard.pools) do keys[#keys + 1] = root .. 'dead:' .. queue end
  local function look_into(queue)
    if seen[queue] or not shard.pools[queue] then return end
    seen[queue] = true
    local records = divided[queue] and letters.records(root, queue) or { root .. 'dead:' .. queue }
    if discard_old(shard, queue, records) > 0 then found(shard, 'letters-discarded', queue) end
  end
  for from = 1, #keys, CHUNK do
    for _, key in ipairs(those_there({ unpack(keys, from, math.min(from + CHUNK - 1, #keys)) })) do
      if key == root .. 'parts' then
        for _, queue in ipairs(letters.divided(root)) do divided[queue] = true end
        for queue in pairs(divided) do look_into(queue) end
      else
        look_into(string.sub(key, #root + 6))
      end
    end
  end
end
if last.is_hourly or (page and inspects) then discard_letters() end
push_counters(KEYS[3], shard.now)

-- How many of these keys are there: a page of all of them has told, where nothing has been written since.
local function count_of(keys)
  if not shard.names or #shard.findings > 0 or next(counters_by_queue) then return redis.call('EXISTS', unpack(keys)) end
  local count = 0
  for _, key in ipairs(keys) do count = count + (shard.names[key] and 1 or 0) end
  return count
end

-- One question is for all keys that are known by name; which of them is there shows when there is anything at all.
local named = inspects and named_keys(shard, round) or {}
local also = { KEYS[2], KEYS[3], root .. 'config', root .. 'inflight', root .. 'strays', unpack(named) }
local left = count_of(inspects and also or { KEYS[2], KEYS[3] })
local lines = left > 0 and waiting_lines(KEYS[3])
if lines then left = left - 1 end
local ready, noted, rolled_up = left > 0, {}, 0
if inspects then
  local before, under_way = #shard.findings, false
  ready, under_way = look_by_name(shard, string.sub(KEYS[2], #root + 1), named, left, round)
  if look_for_strays(shard, under_way, last.is_hourly) then noted = { '&', digits(shard.now) } end
  ready = ready or #shard.findings > before
end

local function note(field, value) noted[#noted + 1], noted[#noted + 2] = field, value end
local stands = inspects and (lines or notes or (last.in_new_isolate and (left > 0 or not shard.names)))
if stands or lines then
  note('!', digits(shard.now))
  note('#', FORMAT)
  last.at = shard.now
end
if stands then note('@', cursor .. ' ' .. digits(last.next_round)) end
for queue, pool in pairs(notes and not page and shard.pools or {}) do note('?' .. queue, pool) end
if page and notes then redis.pcall('PEXPIRE', root .. 'policies:' .. shard.digest, digits(definitions.LASTS_MS)) end
for _, field in ipairs(unremembered(shard)) do noted[#noted + 1] = field end
if lines then rolled_up, noted = roll_up(root, KEYS[3], lines, noted) end
write_noted(root, noted)
return {
  digits(shard.now), fired.next, digits(fired.fired), digits(fired.requeued), digits(fired.dead), ready and '1' or '0',
  inspects and cursor or '', shard.findings, fired.schedules, rolled_up == ROLLUP and '1' or '0',
  digits(inspects and last.next_round or round), last.registered, digits(last.at), last.epoch or '',
}
