-- format: the number of the stored format, in the hash of totals under '#'. Data that another version of Sluice may read otherwise is
-- not touched.
--
-- A number is written with the first write, and no script ever changes it: who has seen its own there need not look again. So a call
-- looks only where its caller says so, by its last key: `<root>format`, or `<root>format?` where the script only reads.

local FORMAT = '2'

-- Takes that key off. Returns the root where the call has to look, and whether it may write.
local function asked_format()
  local root, mark = string.match(KEYS[#KEYS] or '', '^({[^}]+}:)format(%??)$')
  if root then table.remove(KEYS) end
  return root, mark == ''
end

-- `number` is the one that was found, `swept` when a sweep was noted there: data of 0.1 has that, and no number. Where there is neither
-- the number is written, or left to the next call where storage refuses that: who settles must not fail for it. Returns an error where
-- the data is another's.
local function admit_format(root, number, swept)
  if number == FORMAT then return nil end
  if number or swept then return redis.error_reply('STOREDFORMAT ' .. (number or 'none') .. ' ' .. FORMAT) end
  redis.pcall('HSET', root .. 'stats:totals', '#', FORMAT)
end

local function check_format()
  local root, writes = asked_format()
  if not root then return nil end
  local found = redis.pcall('HMGET', root .. 'stats:totals', '#', '!') -- where it is no hash nobody can tell, and nobody is stopped
  if found.err or not (writes or found[1] or found[2]) then return nil end
  return admit_format(root, found[1], found[2])
end
