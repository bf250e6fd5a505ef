-- fold: from the lines of `stats` into the figures that are kept: by minute, by ten minutes, and since ever.

-- Lines folded in one call: some 5 ms of the server's time.
local FOLD = 1000

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

-- Adds figures to fields of a hash: two commands for a hundred of them, and one more where the hash may be new. `also` is a
-- field that is only set. Never raises; in a key of a wrong type they are lost.
local function add_figures(key, sums, life, also)
  local fields = {}
  for field in pairs(sums) do fields[#fields + 1] = field end
  for from = 1, #fields, CHUNK / 2 do
    local to = math.min(from + CHUNK / 2 - 1, #fields)
    local earlier = redis.pcall('HMGET', key, unpack(fields, from, to))
    if earlier.err then return end
    local values, fresh = also or {}, true
    for i = from, to do
      local before = earlier[i - from + 1]
      fresh = fresh and not before
      if before then add_to(sums[fields[i]], before) end
      values[#values + 1] = fields[i]
      values[#values + 1] = spelled(sums[fields[i]])
    end
    redis.pcall('HSET', key, unpack(values))
    also = nil
    if fresh and life then redis.pcall('PEXPIRE', key, digits(life)) end
  end
end

-- Lines added up: '<minute> <queue>' → figures.
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

-- Pops a bounded number of lines and adds them up. `swept` is '!' and the instant where a sweep does it. Returns how many
-- lines the key gave, nil where there is no such key.
local function fold(root, key, swept)
  local lines = redis.pcall('LPOP', key, digits(FOLD))
  if not lines then return nil end
  if lines.err then return 0 end
  local hashes, totals = {}, {}
  for place, figures in pairs(by_minute(lines)) do
    local minute, queue = string.match(place, '^(%d+) (%S+)$')
    local text = spelled(figures)
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
  for hash, kept in pairs(hashes) do add_figures(hash, kept.sums, kept.life) end
  add_figures(root .. 'stats:totals', totals, nil, swept)
  return #lines
end

-- What waits to be folded, for whoever reads. It is left to the sweep, but for what is more than one fold.
local function unfolded(root, key)
  local function read()
    local lines = redis.pcall('LRANGE', key, '0', digits(FOLD))
    return lines.err and {} or lines
  end
  local lines = read()
  if #lines > FOLD then
    fold(root, key)
    lines = read()
  end
  return by_minute(lines)
end
