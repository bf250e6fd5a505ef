-- handoff: messages of an enqueue that go straight into the lease of the drain that its caller starts. Only where nothing that is
-- ready, blocked or due would have gone before them, or takes turns with them.

--- @include clock entry there

-- The index of push queues has a member more while one of them is paused, or has limits of an operator's. What stands there or is
-- due is not for a drain that looks at nothing.
local function is_idle(shard, intake)
  local keys, known = { shard.root .. 'ready:*' }, {}
  for _, move in ipairs(intake.moves) do
    local queue = queue_of(move.lane)
    if not known[queue] then keys[#keys + 1] = shard.root .. 'blocked:' .. queue end
    known[queue] = true
  end
  if count_there(keys) > 0 then return false end
  local first = redis.pcall('ZRANGE', shard.timers, '0', '0', 'WITHSCORES')
  return not first.err and math.floor(tonumber(first[2] or math.huge)) > shard.now
end

-- Whether messages of this call may be handed off: all that are new are ready, and none takes the place of one that waits.
local function is_plain_intake(intake)
  return not intake.applied and intake.ready and #intake.timers == 0 and #intake.replaced == 0
end

-- Puts the new ones in a lease, in the order in which they came. Where this call runs late its drain has the lease already, and
-- that has its timer: taking back what was put must not take that.
local function put_leased(shard, intake, lease, ms)
  local entries, id_at = {}, #shard.root + 3
  for i = 1, #intake.envelopes, 2 do entries[#entries + 1] = '1.' .. string.sub(intake.envelopes[i], id_at) end
  push_left(shard.root .. 'lease:' .. lease, entries)
  local is_new = redis.call('ZADD', shard.timers, 'NX', instant(shard.now + ms), 'l ' .. lease) == 1
  undo_by(function()
    if is_new then redis.pcall('ZREM', shard.timers, 'l ' .. lease) end
  end)
end

-- The header lines of the new ones: the rest of their envelopes the caller has.
local function header_lines(intake)
  local lines = {}
  for i = 2, #intake.envelopes, 2 do lines[i / 2] = string.match(intake.envelopes[i], '^[^\n]*\n') end
  return table.concat(lines)
end
