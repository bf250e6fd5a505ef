-- letters: the dead letters of a queue, in more than one record where they are many.
--
-- Where `dead:<queue>` has grown long it goes on under another name, `dead:<queue>:<number>`, and the next letter begins it anew. The hash
-- `parts` tells which of these there are, under `dead:<queue>`: their numbers, the oldest first. Nothing marks a queue that has parts:
-- whoever has not found a letter asks, and whoever shows or counts all of them.

--- @include clock entry parts

-- Its functions are in one table: Lua has room for 200 locals in a script.
local letters = {}

-- So many are in one record: some 60 MB, and 90 where they hold their groups back.
letters.MOST = MOST / 2

-- The queue in the name of a record, behind `dead:`.
function letters.queue(rest) return string.match(rest, '^[^:]+') end

local function add_parts(root, queue, numbers, keys)
  for number in string.gmatch(numbers or '', '%d+') do keys[#keys + 1] = root .. 'dead:' .. queue .. ':' .. number end
end

-- Adds the keys of all records of a queue, the oldest first, whose parts have these numbers.
function letters.keys(root, queue, numbers, keys)
  keys = keys or {}
  add_parts(root, queue, numbers, keys)
  keys[#keys + 1] = root .. 'dead:' .. queue
  return keys
end

-- The keys of all parts that these queues have.
function letters.parts(root, queues)
  local keys = {}
  for from = 1, #queues, CHUNK do
    local fields = {}
    for i = from, math.min(from + CHUNK - 1, #queues) do fields[#fields + 1] = 'dead:' .. queues[i] end
    local numbers = redis.pcall('HMGET', root .. 'parts', unpack(fields))
    for i = 1, numbers.err and 0 or #fields do add_parts(root, queues[from + i - 1], numbers[i], keys) end
  end
  return keys
end

-- The keys of all records of a queue, the oldest first.
function letters.records(root, queue)
  return letters.keys(root, queue, long.numbers_of(root, 'dead:' .. queue))
end

-- The queues that have parts, or had some.
function letters.divided(root)
  local queues, fields = {}, redis.pcall('HKEYS', root .. 'parts')
  for i = 1, fields.err and 0 or #fields do queues[#queues + 1] = string.match(fields[i], '^dead:(.+)$') end
  return queues
end

-- Letters have left a record: of a part that is gone nothing remains.
function letters.close(root, key)
  local queue = string.match(key, 'dead:([^:]+):%d+$')
  if not queue then return end
  local field, left = 'dead:' .. queue, {}
  local before = long.numbers_of(root, field)
  for number in string.gmatch(before, '%d+') do
    if redis.call('EXISTS', root .. field .. ':' .. number) == 1 then left[#left + 1] = number end
  end
  if #left == 0 then
    redis.pcall('HDEL', root .. 'parts', field)
  elseif #table.concat(left, ' ') < #before then
    redis.pcall('HSET', root .. 'parts', field, table.concat(left, ' ')) -- a part that is gone harms nobody
  end
end

-- What dies next begins a record anew. The part is noted before there is one: nobody would find what it has. Comes when all that a
-- call puts is stored, for nothing takes back what has stood in the record. Where storage refuses it the record grows on, until more die.
function letters.divide(root, queue)
  local parts, field = root .. 'parts', 'dead:' .. queue
  local before = long.numbers_of(root, field)
  local number = tonumber(string.match(before, '%d+$') or '0') + 1
  while redis.call('EXISTS', root .. field .. ':' .. digits(number)) == 1 do number = number + 1 end
  local noted = redis.pcall('HSET', parts, field, before == '' and digits(number) or before .. ' ' .. digits(number))
  if type(noted) == 'table' then return end
  local renamed = redis.pcall('RENAME', root .. field, root .. field .. ':' .. digits(number))
  if not renamed.err then return end
  if before == '' then redis.pcall('HDEL', parts, field) else redis.pcall('HSET', parts, field, before) end
end
