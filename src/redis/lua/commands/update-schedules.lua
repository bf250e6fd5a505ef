-- update-schedules: changes schedules, each only if it still is as the caller read it, and enqueues what their occurrences make in
-- the same step. So an occurrence is fired once, however many callers met it.
--
-- KEYS[1]  hash    schedules    id → header, last error, timing, policy, message: a line each (due.lua has the header)
-- KEYS[2]  zset    timers       's <id>': its next occurrence
-- KEYS[3]  string  awake        somebody is draining, or was just asked to
-- KEYS[4]  string  sleeper      the drain that sleeps, as wake.lua reads it
-- KEYS[…]  what its caller knows of the others: those of the messages, as of an enqueue
-- Beyond   callbacks:<id>, dead:<queue>, dedup:<queue>:<digest>, failures:<id>, lane:<lane>, m:<id>, part:<number>:<lane>,
--          parts, ready:<pool>, stats:totals, timers:<n>
-- ARGV[1]  text    root      what every key of the shard begins with
-- ARGV[2]  clock   clock     '' or epoch ms, in tests
-- ARGV[3]  text    token     of this call: the value of `awake` where the caller should start a drain
-- ARGV[4]  number  awakeMs   life of `awake`; 0 where the caller drains anyway, or cannot
-- ARGV[5]  number  withinMs  a delay up to this is worth waking a drain that sleeps until then
-- ARGV[6]  number  needsMs   what a delivery may take: a drain that sleeps has to live so much longer
-- ARGV[7]  number  most      schedules there may be
-- ARGV[…]  text…   changes   changes: id, header as the caller read it ('': there is none), new header ('': it goes), last error, lines behind
--                            that ('': as they are), due (epoch ms, '': none), how many arguments follow, and segments as admit.lua reads them
-- Returns  {now, '1' if the caller should start a drain, {'done' | 'changed' | 'full' for each}}. 'changed': it is not as
--          the caller read it, and nothing was done to it; 'full': it would be one too many
-- Replay   'changed' for what was done: no header comes twice; and the same word on starting a drain
-- Cost     5 commands, and those of an enqueue without its 3 for token and `awake`; 1 more where one is new, 2 where one goes

--- @include clock entry lane admit overflow wake

local shard = { root = ARGV[1], timers = KEYS[2], now = clock(ARGV[2]) }
local changes, ids, at = {}, {}, 8
while at <= #ARGV do
  local last = at + 6 + tonumber(ARGV[at + 6])
  changes[#changes + 1] = {
    id = ARGV[at], expected = ARGV[at + 1], header = ARGV[at + 2], error = ARGV[at + 3], lines = ARGV[at + 4],
    due = ARGV[at + 5], first = at + 7, last = last,
  }
  ids[#ids + 1] = ARGV[at]
  at = last + 1
end

local records = redis.call('HMGET', KEYS[1], unpack(ids))
local intake, statuses, count = new_intake(), {}, nil
local fields, timers, befores, gone, done, changed = {}, {}, {}, {}, {}, {}
for i, change in ipairs(changes) do
  local header, lines = string.match(records[i] or '\n\n', '^([^\n]*)\n[^\n]*\n(.*)$')
  statuses[i] = header == change.expected and not changed[change.id] and 'done' or 'changed'
  if statuses[i] == 'done' and header == '' then
    count = (count or redis.call('HLEN', KEYS[1])) + 1
    if count > tonumber(ARGV[7]) then statuses[i] = 'full' end
  end
  if statuses[i] == 'done' then
    changed[change.id] = true
    admit(shard, intake, ARGV, change.first, change.last)
    if change.header == '' then
      gone[#gone + 1] = change.id
    else
      fields[#fields + 1] = change.id
      fields[#fields + 1] = table.concat({ change.header, change.error, change.lines ~= '' and change.lines or lines }, '\n')
    end
    if change.due == '' then
      done[#done + 1] = 's ' .. change.id
    else
      timers[#timers + 1] = change.due
      timers[#timers + 1] = 's ' .. change.id
      befores[#befores + 1] = string.match(change.expected, '^(%d+) active ') or false
    end
  end
end

-- All puts; the records, which say that this was done, come behind all that can be taken back.
local function put_changes()
  put_in(shard, intake)
  undo_by(function()
    for i, before in ipairs(befores) do
      local member = timers[2 * i]
      if before then redis.pcall('ZADD', KEYS[2], before, member) else redis.pcall('ZREM', KEYS[2], member) end
    end
  end)
  in_chunks('ZADD', KEYS[2], timers)
  in_chunks('HSET', KEYS[1], fields)
  put_over(shard, intake)
end

local refused = attempt(put_changes)
if refused then
  note_refusal(shard, refused)
  return redis.error_reply(refused)
end
remove_replaced(shard, intake)
in_chunks('ZREM', KEYS[2], done)
in_chunks('HDEL', KEYS[1], gone)
overflow.spill(shard)
local wake = waking.ask(shard, { awake = KEYS[3], sleeper = KEYS[4] }, ARGV[3], ARGV[4], ARGV[5], ARGV[6])
local replayed = ARGV[4] ~= '0' and string.find(table.concat(statuses, ' '), 'changed', 1, true)
if replayed and text_of(KEYS[3]) == ARGV[3] then wake = '1' end -- the answer to an earlier try was lost
return { digits(shard.now), wake, statuses }
