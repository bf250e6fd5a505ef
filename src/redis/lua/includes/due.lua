-- due: schedules whose occurrence has come. What an occurrence makes is the caller's business: a script knows no cron.
--
-- A schedule is a field of the hash `schedules`: its id, and lines of text of which scripts read the first,
-- '<due, epoch ms; 0 while paused> <active or paused> <code or api> <revision> <last occurrence fired, epoch ms; 0: none>'.

--- @include clock lane

-- Of so many at once the records fit in an answer: each takes 64 KiB at most.
local DUE_SCHEDULES = 32

-- A caller who dies before it has fired what it was given costs this much.
local HANDED_OUT_MS = 5000

-- The records of schedules that timers say are due, as {id, record, …}. They are put off, so that they block nothing and
-- go to one caller at a time; a timer with no active schedule behind it goes.
local function read_due(shard, ids, put_off, done)
  if #ids == 0 then return {} end
  local records, due = redis.pcall('HMGET', shard.root .. 'schedules', unpack(ids)), {}
  for i, id in ipairs(ids) do
    local active = records.err or (records[i] and string.match(records[i], '^%d+ active '))
    if active then
      put_off[#put_off + 1] = digits(shard.now + (records.err and PUT_OFF_MS or HANDED_OUT_MS))
      put_off[#put_off + 1] = 's ' .. id
    else
      done[#done + 1] = 's ' .. id
    end
    if active and not records.err then
      due[#due + 1] = id
      due[#due + 1] = records[i]
    end
  end
  return due
end
