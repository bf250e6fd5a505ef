-- wake: whether the caller has to start a drain, because of what it made ready or due nobody else knows who looks in time.
--
-- `shard.work` says that lanes of push queues got entries, `shard.soonest` when the first delayed one is due. The key `awake` is
-- there while somebody looks, or was just asked to: whoever sets it starts a drain, and the others need not.

--- @include entry

local waking = {} -- one name for both: sync.lua is near the most that a script may have

-- The idle drain that sleeps: when it `looks` again, its `name`, until when it `takes` messages and until when it `lives` for their
-- handlers. nil where none sleeps.
function waking.sleeper(shard, key)
  local looks, name, takes, lives = string.match(text_of(key), '^(%d+) (%S+) (%d+) (%d+)$')
  if not looks or tonumber(looks) <= shard.now then return nil end
  return { looks = tonumber(looks), name = name, takes = tonumber(takes), lives = tonumber(lives) }
end

-- Sets the key, unless somebody looks or was just asked to. Returns '1' or '0'; what it came to first holds for the whole call.
function waking.claim(shard, key, token, life)
  -- Where storage refuses the key, one too many is woken.
  shard.woken = shard.woken or redis.pcall('SET', key, token, 'NX', 'PX', life) and '1' or '0'
  return shard.woken
end

-- Takes that back, where nothing became of the call.
function waking.drop(key, token)
  if text_of(key) == token then redis.call('UNLINK', key) end
end

-- `names` are { awake =, sleeper = (keys) }, `token` is whose call it is, `life` that of `awake` in ms, '0' where the caller cannot start a
-- drain. A delay up to `within` ms is worth a drain that sleeps for it, unless one looks before that anyway, and has the `needs` ms
-- left that a delivery may take. Returns '1' or '0'.
function waking.ask(shard, names, token, life, within, needs)
  if life == '0' then return '0' end
  local due, wanted = shard.soonest, shard.work
  if not wanted and due and due - shard.now <= tonumber(within) then
    local asleep = waking.sleeper(shard, names.sleeper)
    wanted = not (asleep and asleep.looks <= due and asleep.takes >= due and asleep.lives >= due + tonumber(needs))
  end
  return wanted and waking.claim(shard, names.awake, token, life) or '0'
end
