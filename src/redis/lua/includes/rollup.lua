-- rollup: from the lines of `stats` into the counters that are kept: by minute, by ten minutes, and since ever.

--- @include clock entry counters

-- Lines rolled up in one call: some 5 ms of the server's time.
local ROLLUP = 1000

-- Both are kept for a day after the last of their steps. A hash holds so many steps; its fields are '<step> <queue>', and
-- the queue '*' is all of them together.
local HOUR_MS, DAY_MS = 3600000, 86400000
local TIERS = {
  { name = 'hour', step = MINUTE_MS, steps = 60, life = HOUR_MS + DAY_MS },
  { name = 'day', step = 10 * MINUTE_MS, steps = 144, life = 2 * DAY_MS },
}

local function step_key(root, tier, step)
  return root .. 'stats:' .. tier.name .. ':' .. digits(step / tier.steps)
end

-- Adds counters to fields of a hash: two commands for a hundred of them, and one more where the hash may be new. `also` are fields
-- that are only set. Never raises; in a key of a wrong type they are lost. Returns false where storage refused the first of them.
local function add_counters(key, sums, life, also)
  local fields, from, fresh = {}, 1, true
  for field in pairs(sums) do fields[#fields + 1] = field end
  while from <= #fields do
    local to = math.min(from + (CHUNK - #also) / 2 - 1, #fields)
    local earlier, values = redis.pcall('HMGET', key, unpack(fields, from, to)), also
    if earlier.err then return nil end
    for i = from, to do
      local before = earlier[i - from + 1]
      fresh = fresh and not before
      if before then add_to(sums[fields[i]], before) end
      values[#values + 1], values[#values + 2] = fields[i], spelled(sums[fields[i]])
    end
    if type(redis.pcall('HSET', key, unpack(values))) == 'table' and from == 1 then return false end
    if fresh and life then redis.pcall('PEXPIRE', key, digits(life)) end
    from, also, fresh = to + 1, {}, true
  end
  return true
end

-- Lines added up: '<minute> <queue>' → counters.
local function by_minute(lines)
  local sums = {}
  for _, line in ipairs(lines) do
    local place, text = string.match(line, '^(%d+ %S+) (.*)$')
    if place then
      sums[place] = sums[place] or {}
      add_to(sums[place], text)
    end
  end
  return sums
end

-- What one rollup takes of the lines; nil where there is no such key, and nothing where it has a wrong type.
local function waiting_lines(key)
  local lines = redis.pcall('LRANGE', key, '0', digits(ROLLUP - 1))
  if lines.err then return {} end
  return #lines > 0 and lines or nil
end

-- Counts lines, and then drops them: where storage refuses even the first counters they stay. `noted` are fields to set in the hash
-- of totals. Returns how many lines were counted, and those fields that are still to be set.
local function roll_up(root, key, lines, noted)
  if #lines == 0 then return 0, noted end
  local hashes, totals = {}, {}
  for place, counters in pairs(by_minute(lines)) do
    local minute, queue = string.match(place, '^(%d+) (%S+)$')
    local text = spelled(counters)
    totals[queue] = totals[queue] or {}
    add_to(totals[queue], text)
    for _, tier in ipairs(TIERS) do
      local step = math.floor(tonumber(minute) * MINUTE_MS / tier.step)
      local hash = step_key(root, tier, step)
      hashes[hash] = hashes[hash] or { sums = {}, life = tier.life }
      for _, of in ipairs({ queue, '*' }) do
        local field = digits(step) .. ' ' .. of
        local sums = hashes[hash].sums
        sums[field] = sums[field] or {}
        add_to(sums[field], text)
      end
    end
  end
  local also, left = {}, {}
  for i, field in ipairs(noted) do
    local part = i <= CHUNK / 2 and also or left
    part[#part + 1] = field
  end
  local written = add_counters(root .. 'stats:totals', totals, nil, also)
  if written == false then return 0, noted end
  for hash, kept in pairs(hashes) do
    local added = add_counters(hash, kept.sums, kept.life, {})
    if added == false and not written then return 0, noted end
    written = written or added
  end
  redis.call('LTRIM', key, digits(#lines), '-1')
  return #lines, left
end

-- What waits to be rolled_up, for whoever reads. It is left to the sweep, but for what is more than one rollup.
local function waiting_counters(root, key)
  local function read()
    local lines = redis.pcall('LRANGE', key, '0', digits(ROLLUP))
    return lines.err and {} or lines
  end
  local lines = read()
  if #lines > ROLLUP then
    table.remove(lines)
    roll_up(root, key, lines, {})
    lines = read()
  end
  return by_minute(lines)
end
