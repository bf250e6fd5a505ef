-- audit: checks one page of the shard's keys against the invariants, and repairs what it finds.
--
-- KEYS[1]  zset  timers
-- KEYS[2]  list  stats
-- KEYS[…]  what its caller knows of the others: policies:<digest>
-- Beyond   blocked:<queue>, callbacks:<id>, config, damaged:<key>, dead:<queue>, dedup:<queue>:<digest>, failures:<id>,
--          inflight, lane:<lane>, lease:<lease>, m:<id>, part:<number>:<lane>, parts, policies:<digest>, ready:<pool>,
--          schedules, stats:totals, timers:<n>
-- ARGV[1]  text    root      what every key of the shard begins with
-- ARGV[2]  clock   clock     '' or epoch ms, in tests
-- ARGV[3]  text    cursor    '0' begins; '<page> <key> <from>' goes on in the middle of a page
-- ARGV[4]  number  count     keys on a page, about
-- ARGV[5]  flag    repairs   '1' to repair, '0' to report only
-- ARGV[6]  flag    deep      '1' to look for the entry of each envelope too, and at the whole of each lane and each set of dead letters
-- ARGV[7]  text    policies  of queues with limits, as definitions.lua reads them
-- ARGV[8]  text    queues    of this deployment: '\n<queue> <pool>' for each; '' where the policies are under their digest
-- Returns  {next cursor, '0' at the end, {finding, name, …}, {what could not be judged beside so many leases: 'counts' of slots,
--          'envelopes' that are in no list}} where a finding is, or {'unknown'} where the policies are not there under their digest
--          unindexed-lane          a lane with entries that no index has: entered
--          empty-lane              an index has a lane without entries: taken out
--          lane-in-another-pool    a lane of a pull queue that is a push queue now: moved
--          turn-in-the-future      a lane that would wait until a clock that was put back catches up: it gets its turn now
--          blocked-lane            a lane of a queue that is not paused any more: entered
--          pause-without-mark      a paused queue that syncs would not notice: marked
--          lease-without-timer     a lease that would never expire: it expires now
--          timer-without-lease     an expiry with nothing behind it: removed
--          overflow-without-marker  delayed messages that none would bring back into timers: marked
--          schedule-without-timer  an active schedule that would never be fired: it is due as it was
--          entry-without-envelope  in a lane: it becomes a dead letter that says so. In a lease, where asked for: only reported
--          dead-without-envelope   a dead letter that does not say so yet: it does now
--          envelope-without-entry  a message that is in no list (only where asked for): delivered again
--          dedup-without-end       a dedup key that would stay for ever: it ends in a day
--          count-without-slots     slots that are counted otherwise than they are held: counted again, and who waits for them comes back
--          callbacks-without-message  what would follow on a message that is gone: removed
--          part-without-lane       a part of a lane that no lane leads to: it does now
--          part-without-entries    a lane has parts no longer, and its mark: it goes
--          failures-without-message  what went wrong with a message that is gone (only where asked for): removed
--          foreign-entry           a lane, or a set of dead letters, has in it what is no entry: set aside, under `damaged:`
--          wrong-type              a key that nobody of ours wrote: only reported
--          not-inspected           a key that could not be looked at or mended, as another is damaged or storage refuses
-- Replay   finds what is left to find
-- Cost     2 commands, and about 5 for each lane, 2 for each lease, and 3 for each 100 members of indexes, timers and dead sets on
--          the page; with envelopes, about 10 for each

--- @include clock definitions limits counters check slots keys noted

-- Keys, or parts of long ones, looked at in one call.
local PARTS_AT_ONCE = 1.5 * tonumber(ARGV[4])

local shard = { root = ARGV[1], timers = KEYS[1], now = clock(ARGV[2]), deep = ARGV[6] == '1' }
with_limits(shard, ARGV[7])
with_findings(shard, ARGV[5] == '1', ARGV[8])
if not shard.deep then
  inspect['m'], inspect['failures'] = nil, nil
end
if not definitions.load(shard, {}) then return { 'unknown' } end

-- Returns the cursor of what is left.
local function audit_page(page, resume, at)
  local names, next_page = names_from(shard, page, ARGV[4])
  local parts = 0
  for _, name in ipairs(names) do
    local kind, rest = kind_of(name)
    local from = inspect[kind] and (not resume or name >= resume) and (name == resume and at or '0')
    while from do
      if parts >= PARTS_AT_ONCE then return table.concat({ page, name, from }, ' ') end
      from = inspect_key(shard, kind, rest, from)
      parts = parts + 1
    end
  end
  return next_page
end

local page, resume, at = string.match(ARGV[3], '^(%d+) (.+) (%d+)$')
local next_cursor = audit_page(page or ARGV[3], resume, at)
push_counters(KEYS[2], shard.now)
write_noted(shard.root, unremembered(shard))
local incomplete = {}
for what in pairs(shard.incomplete) do incomplete[#incomplete + 1] = what end
return { next_cursor, shard.findings, incomplete }
