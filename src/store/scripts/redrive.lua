-- redrive: dead letters go back to the tails of their lanes, with attempt 1 and their failures kept.
--
-- KEYS[1]  zset  timers
-- KEYS[2]  hash  failures
-- ARGV[1]  root   what every key of the shard begins with
-- ARGV[2]  clock  '' or epoch ms, in tests
-- ARGV[3]  queue
-- ARGV[…]  ids, at most 200
-- Returns  for each id 'redriven', 'gone' where it is not among the dead letters, 'missing' where it has no envelope
-- Replay   'gone' for what was redriven; nothing moves twice
-- Cost     6 commands and 2 for each lane

local root, now = ARGV[1], clock(ARGV[2])
local dead = root .. 'dead:' .. ARGV[3]
local ids = { unpack(ARGV, 4) }

-- A dead letter's entry has the attempt of its last failure.
local entries = {}
for i, lines in ipairs(redis.call('HMGET', KEYS[2], unpack(ids))) do
  local last = string.match(lines or '', '(%d+) %d+ %l+ [^\n]*$') or '1'
  entries[2 * i - 1] = last .. '.' .. ids[i]
  entries[2 * i] = '1r.' .. ids[i]
end
local scores = redis.call('ZMSCORE', dead, unpack(entries))

local answers, candidates, places = {}, {}, {}
for i in ipairs(ids) do
  answers[i] = 'gone'
  local entry = scores[2 * i - 1] and entries[2 * i - 1] or scores[2 * i] and entries[2 * i]
  if entry then
    candidates[#candidates + 1] = entry
    places[#places + 1] = i
  end
end

local moves, moved, done = {}, {}, 0
while done < #candidates do
  local rest = { unpack(candidates, done + 1) }
  local envelopes = read_envelopes(root, rest, 1000000)
  for i, envelope in ipairs(envelopes) do
    local header = header_of(envelope)
    answers[places[done + i]] = header and 'redriven' or 'missing'
    if header then
      gather(moves, header.pool, header.lane, 'LPUSH', '1r.' .. id_of(rest[i]))
      moved[#moved + 1] = rest[i]
    end
  end
  done = done + #envelopes
end
put_all(root, KEYS[1], now, moves)
in_chunks('ZREM', dead, moved)
return answers
