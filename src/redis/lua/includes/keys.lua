-- keys: going through the keys of the shard, each by the function for its kind.

--- @include clock definitions letters check

-- The type of each kind, and of sorted sets that they are gone through part by part.
local TYPES = {
  lane = 'list', part = 'list', lease = 'list', callbacks = 'list',
  config = 'hash', schedules = 'hash', inflight = 'hash', parts = 'hash',
  m = 'string', failures = 'string', dedup = 'string',
}

-- Inspects some members of a sorted set, and returns where to go on. Where that has changed the set it is here again: not every
-- server has cursors that stay what they were.
local function inspect_members(shard, kind, rest, name, at)
  local page = redis.call('ZSCAN', shard.root .. name, at, 'COUNT', digits(LOOK_AT))
  if inspect[kind](shard, rest, page[2]) then return at end
  if page[1] == '0' or (kind == 'dead' and not shard.deep) then return nil end
  return page[1]
end

-- Inspects one key, or a step of it. A key of a wrong type is reported, and so is one that cannot be inspected because another
-- is, or because storage refuses what would mend it: neither stops the others. Returns where to go on, nil at its end.
local function inspect_key(shard, kind, rest, at)
  local name = rest and kind .. ':' .. rest or kind
  local type_of = redis.call('TYPE', shard.root .. name).ok
  if type_of == 'none' then return nil end
  if type_of ~= (TYPES[kind] or 'zset') then
    found(shard, 'wrong-type', name)
    return nil
  end
  local well, next_at
  if TYPES[kind] then
    well, next_at = pcall(inspect[kind], shard, rest, at)
  else
    well, next_at = pcall(inspect_members, shard, kind, rest, name, at)
  end
  if well then return next_at end
  found(shard, 'not-inspected', name)
end

-- Returns the kind of a key, and the rest of its name where it has one.
local function kind_of(name)
  local kind, rest = string.match(name, '^(%l+):(.+)$')
  return kind or name, rest
end

-- The lanes that names of keys speak of; of the keys of a whole queue any of its lanes.
local function lanes_in(names)
  local lanes = {}
  for _, name in ipairs(names) do
    local kind, rest = kind_of(name)
    if kind == 'lane' then lanes[#lanes + 1] = rest end
    if kind == 'ready' or kind == 'blocked' or kind == 'dead' then lanes[#lanes + 1] = '0:' .. letters.queue(rest) end
  end
  return lanes
end

-- The names on a page of the shard's keys, sorted, and the cursor of the next page. A cursor that storage does not take, as it
-- may be another's by now, begins again.
local function names_from(shard, cursor, count)
  local ours = string.gsub(shard.root, '[{}]', '\\%0') .. '*' -- to some globs bare braces are alternatives
  local page = redis.pcall('SCAN', cursor, 'MATCH', ours, 'COUNT', count)
  if page.err then page = redis.call('SCAN', '0', 'MATCH', ours, 'COUNT', count) end
  local names = {}
  for i, key in ipairs(page[2]) do names[i] = string.sub(key, #shard.root + 1) end
  table.sort(names)
  definitions.load(shard, lanes_in(names))
  return names, page[1]
end

-- Of one lane whose head holds nothing that says its pool, a sweep looks at so many parts.
local PARTS = 10

-- Inspects one key as far as a sweep goes.
local function sweep_key(shard, kind, rest)
  local at, parts = '0', PARTS
  repeat
    at = inspect_key(shard, kind, rest, at)
    parts = parts - 1
  until not at or parts == 0 or (kind ~= 'lane' and kind ~= 'part')
end
