-- parts: a lane that has grown long is divided, so that no record gets too large for storage.
--
-- A lane with more than MOST entries goes on under another name, `part:<number>:<lane>`, and begins anew with MARK at its head. Whoever takes
-- from there and meets MARK goes on in the oldest part, and in the lane again behind the last; then MARK goes. What comes back stands
-- at the head of the lane and so before all parts. The hash `parts` tells which there are, under the name of the list that has MARK: their
-- numbers, the oldest first. A part has a mark, and parts, itself where something had come back to the lane that it was. Those of
-- dead letters are there too: see letters.lua.

--- @include clock entry

local MOST = 1048576

-- No entry, and no text that a caller can put in a lane.
local MARK = '~'

-- Of lanes with parts, under one name: a script has few locals left.
local long = {}

function long.has_mark(texts)
  for i = #texts, 1, -1 do
    if texts[i] == MARK then return true end
  end
  return false
end

function long.numbers_of(root, list)
  local numbers = redis.pcall('HGET', root .. 'parts', list)
  return type(numbers) == 'string' and numbers or ''
end

-- The names of the parts of a list, of this lane, the oldest first.
function long.parts_of(root, list, lane)
  local parts = {}
  for number in string.gmatch(long.numbers_of(root, list), '%d+') do parts[#parts + 1] = 'part:' .. number .. ':' .. lane end
  return parts
end

-- The list in which the next entry of a lane stands, where it has MARK at its head.
function long.oldest_part(root, list, lane)
  for _, part in ipairs(long.parts_of(root, list, lane)) do
    if redis.call('EXISTS', root .. part) == 1 then return part end
  end
end

-- A way through a lane from its head, list by list: each node has { list =, read = (elements from its right end), seen = (entries among
-- them), gone = (of these, taken), whole = (all was read), parts =, at = (the part that is read) }.
function long.node_of(list, above)
  return { list = list, read = 0, seen = 0, gone = 0, above = above }
end

function long.new_walk(lane)
  local top = long.node_of('lane:' .. lane)
  return { lane = lane, top = top, node = top }
end

-- Behind the end of a node, and behind MARK, comes the next part, or what stands in the node above.
function long.go_on(walk)
  local node = walk.node
  if node and node.parts and node.at < #node.parts then
    node.at = node.at + 1
    walk.node = node.parts[node.at]
  end
end

-- Reads up to `count` entries further. Returns them, and the node of each. Fewer: there are no more.
function long.read_on(root, walk, count)
  local entries, nodes = {}, {}
  while walk.node and #entries < count do
    local node, asked = walk.node, count - #entries
    local found = redis.pcall('LRANGE', root .. node.list, digits(-node.read - asked), digits(-node.read - 1))
    local met, last = false, found.err and 0 or #found
    for i = last, 1, -1 do
      node.read = node.read + 1
      met = found[i] == MARK and not node.parts
      if met then break end
      node.seen = node.seen + 1
      entries[#entries + 1], nodes[#nodes + 1] = found[i], node
    end
    if met then
      node.parts, node.at = {}, 0
      for i, part in ipairs(long.parts_of(root, node.list, walk.lane)) do node.parts[i] = long.node_of(part, node) end
    elseif last < asked then
      node.whole = true
      walk.node = node.above
    end
    if met or last < asked then long.go_on(walk) end
  end
  return entries, nodes
end

-- The entry that was read last is to be read again.
function long.read_again(walk, node)
  node.read, node.seen, node.whole = node.read - 1, node.seen - 1, nil
  walk.node = node
end

-- What is gone leaves a node and those below it. Returns whether all of it is gone.
function long.leave(root, node)
  local rest, passed = {}, node.gone
  for _, part in ipairs(node.parts or {}) do
    if not long.leave(root, part) then rest[#rest + 1] = string.match(part.list, '%d+') end
  end
  if node.parts and #rest == 0 then
    passed = passed + 1
    redis.pcall('HDEL', root .. 'parts', node.list)
  elseif node.parts and #rest < #node.parts then
    redis.pcall('HSET', root .. 'parts', node.list, table.concat(rest, ' ')) -- a part that is gone harms nobody
  end
  if passed > 0 then redis.call('LTRIM', root .. node.list, '0', digits(-passed - 1)) end
  return node.whole and node.gone == node.seen and #rest == 0
end

-- The lists of a lane in the order in which they are read: { list =, from = (elements right of it), count = (entries) }. Of a list with
-- parts it has two, what stands before them and behind.
function long.runs_of(root, lane, list, runs)
  list, runs = list or 'lane:' .. lane, runs or {}
  local parts, length = long.parts_of(root, list, lane), redis.pcall('LLEN', root .. list)
  if type(length) ~= 'number' then return runs end
  local mark = #parts > 0 and redis.call('LPOS', root .. list, MARK, 'RANK', '-1')
  local before = mark and length - 1 - mark or length
  runs[#runs + 1] = { list = list, from = 0, count = before }
  for _, part in ipairs(parts) do long.runs_of(root, lane, part, runs) end
  if mark then runs[#runs + 1] = { list = list, from = before + 1, count = mark } end
  return runs
end

-- Some entries of a divided lane, the next one first: behind so many others.
function long.read_runs(root, lane, skip, count)
  local entries = {}
  for _, run in ipairs(long.runs_of(root, lane)) do
    local most = math.min(run.count - skip, count - #entries)
    if most > 0 then
      local from = run.from + math.max(0, skip)
      local found = redis.call('LRANGE', root .. run.list, digits(-from - most), digits(-from - 1))
      for i = #found, 1, -1 do entries[#entries + 1] = found[i] end
    end
    skip = math.max(0, skip - run.count)
  end
  return entries
end

-- An operator has taken entries out of lists of a lane: where no part has any, MARK goes, and with it an empty lane.
function long.close_parts(root, lane, list)
  list = list or 'lane:' .. lane
  local parts = long.parts_of(root, list, lane)
  for _, part in ipairs(parts) do long.close_parts(root, lane, part) end
  if #parts == 0 or long.oldest_part(root, list, lane) then return end
  redis.call('HDEL', root .. 'parts', list)
  redis.call('LREM', root .. list, '-1', MARK)
end

-- The lane is copied, and the copy left where the lane becomes another by one command: two renames could be refused between them, and
-- nobody would find what the lane held. To copy a million entries, 30 MB, takes some 50 ms.
-- Takes back what led to a part. Where the list had parts before that is a put, which storage may refuse: then these stay behind the new
-- part, of which only its mark is left. Returns whether the part is needed.
function long.unlist(root, list, part, older)
  local parts = root .. 'parts'
  local listed = older ~= '' and redis.pcall('HSET', parts, list, older) or redis.pcall('HDEL', parts, list)
  if type(listed) == 'number' then
    redis.pcall('HDEL', parts, part)
    return false
  end
  local mark = redis.pcall('LPOS', root .. part, MARK, 'RANK', '-1')
  if type(mark) ~= 'number' then return false end -- they are listed with it still, and a part that is not there harms nobody
  redis.pcall('LTRIM', root .. part, digits(mark), digits(mark))
  return true
end

function long.divide_lane(root, lane, now)
  local list, needed = 'lane:' .. lane, false
  local key, fresh, older = root .. list, root .. 'part:0:' .. lane, long.numbers_of(root, list)
  if redis.call('LLEN', key) <= MOST then return end -- what made it long was taken back, or taken
  local number = math.max(math.floor(now), tonumber(string.match(older, '%d+$') or '0') + 1)
  while redis.call('EXISTS', root .. 'part:' .. digits(number) .. ':' .. lane) == 1 do number = number + 1 end
  local part = 'part:' .. digits(number) .. ':' .. lane
  local marked = older ~= '' and redis.call('LINDEX', key, '-1') == MARK
  local behind = older ~= '' and not marked and { part, older } or {} -- the older ones stay behind the mark that it has
  redis.call('COPY', key, root .. part)
  undo_by(function()
    if not needed then redis.pcall('UNLINK', root .. part) end
  end)
  if marked then redis.call('RPOP', root .. part) end
  redis.call('RPUSH', fresh, MARK)
  undo_by(function() redis.pcall('UNLINK', fresh) end)
  redis.call('HSET', root .. 'parts', list, marked and older .. ' ' .. digits(number) or digits(number), unpack(behind))
  undo_by(function() needed = long.unlist(root, list, part, older) end)
  redis.call('RENAME', fresh, key)
end

-- Divides the lanes that have become too long, when all that this call puts is stored, and what it takes has left. Where storage
-- refuses that, they grow on until the next call.
function long.divide(shard)
  for lane in pairs(shard.long or {}) do attempt(long.divide_lane, shard.root, lane, shard.now) end
  shard.long = nil
end
