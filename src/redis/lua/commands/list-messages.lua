-- list-messages: a page of a queue's messages in one state.
--
-- KEYS[1]  zset  timers
-- Beyond   blocked:<queue>, callbacks:<id>, dead:<queue>, failures:<id>, lane:<lane>, lease:<lease>, m:<id>, part:<number>:<lane>, parts,
--          ready:<pool>, timers:<n>
-- ARGV[1]  text    root    what every key of the shard begins with
-- ARGV[2]  text    queue   of delayed ones '' too: of all queues
-- ARGV[3]  text    state   ready, delayed, leased or dead
-- ARGV[4]  number  limit   of messages on the page
-- ARGV[5]  text    cursor  '' begins; for ready '<part of the lanes> <lane, or -> <how many from its head, ~ before it where it has
--                          parts>', for leased '<rank> <place in
--                          the lease>', else a rank, and for delayed '<n>:<rank>' behind it of each record of overflow
-- ARGV[6]  number  bytes   of envelopes on the page, one message at least; '0' for none of them
-- ARGV[7]  flag    whole   '1' for what follows on each, too
-- Returns  {next cursor or '', {entry, due or dead since or '', envelope, failures, and if whole its callbacks with line feeds between,
--          …}}. A page may have fewer than the limit, or none, and still not be the last: it ends where a lane does, where the bytes do,
--          and where it has looked at enough
-- Replay   reads only. What moves between two pages may come twice or not at all
-- Cost     6 commands, for dead ones 7 and one for each part, and one for each 36 messages; if whole one for each that others follow on;
--          for leased 1 for each lease looked at that may hold some, up to 1,000

--- @include clock entry lease leases foreign parts letters lanes

local TIMERS = 1000
local root, queue, limit, cursor = ARGV[1], ARGV[2], tonumber(ARGV[4]), ARGV[5]

-- Each answers with rows of { text of an entry, instant, cursor of the row behind it }, and the cursor behind all of them.

local function ready_rows()
  local part, from, divided, skip = string.match(cursor, '^(%S*) (%S*) (~?)(%d+)$')
  part, from, divided, skip = part or '1:0', from or '-', divided or '', tonumber(skip or '0')
  local lanes, next_part = lanes_of_queue(root, queue, part)
  local after = next_part ~= '' and next_part .. ' - 0' or ''
  for i, lane in ipairs(lanes) do
    if lane >= from then
      if lane ~= from then
        skip, divided = 0, ''
      end
      local rows, texts = {}, redis.call('LRANGE', root .. 'lane:' .. lane, digits(-skip - limit), digits(-skip - 1))
      if divided == MARK or long.has_mark(texts) then
        divided, texts = MARK, nil
      end
      texts = texts or long.read_runs(root, lane, skip, limit)
      for t = 1, #texts do
        local text = texts[divided == MARK and t or #texts + 1 - t]
        rows[#rows + 1] = { text, '', table.concat({ part, lane, divided .. digits(skip + t) }, ' ') }
      end
      if #rows == limit then return rows, rows[limit][3] end
      if #rows > 0 then return rows, lanes[i + 1] and part .. ' ' .. lanes[i + 1] .. ' 0' or after end
    end
  end
  return {}, after
end

-- Where to go on in each record of timers, as a cursor: the rank in timers, and behind it '<n>:<rank>' of each record of overflow.
local function cursor_of(sources)
  local ranks = {}
  for i, source in ipairs(sources) do ranks[i] = source.number .. digits(source.rank) end
  return table.concat(ranks, ' ')
end

-- Reads a part of a record into `all`, and adds to `sources` those of overflow that it has markers of. Returns how far, by the score, it
-- is known.
local function read_source(sources, place, all)
  local source, known = sources[place], math.huge
  local count = place == 1 and TIMERS or math.ceil(TIMERS / #sources)
  local page = redis.pcall('ZRANGE', source.key, digits(source.rank), digits(source.rank + count - 1), 'WITHSCORES')
  for i = 1, page.err and 0 or #page, 2 do
    local number, score = string.match(page[i], '^%+ (%d+)$'), tonumber(page[i + 1])
    if number and not sources[number] then
      sources[#sources + 1] = { key = KEYS[1] .. ':' .. number, number = number .. ':', rank = 0 }
      sources[number] = true
    end
    all[#all + 1] = { score = score, source = source, member = page[i], due = page[i + 1], place = #all }
    if i == 2 * count - 1 then known = score end
  end
  return known
end

-- Timers, and from each marker in them on what its record of overflow holds, come by their scores, as far as all of them are known.
local function delayed_rows()
  local sources, all, rows, known, place = { { key = KEYS[1], number = '', rank = tonumber(string.match(cursor, '^%d+') or '0') } }, {}, {}, math.huge, 1
  for number, rank in string.gmatch(cursor, ' (%d+):(%d+)') do
    sources[#sources + 1] = { key = KEYS[1] .. ':' .. number, number = number .. ':', rank = tonumber(rank) }
    sources[number] = true
  end
  while place <= #sources do
    known = math.min(known, read_source(sources, place, all))
    place = place + 1
  end
  if #sources > 1 then
    table.sort(all, function(a, b)
      if a.score ~= b.score then return a.score < b.score end
      return a.place < b.place
    end)
  end
  for _, one in ipairs(all) do
    if one.score > known then break end
    one.source.rank = one.source.rank + 1
    local lane, entry = string.match(one.member, '^[mh] %S+ (%d:%S+) (%S+)$')
    if lane and (queue == '' or queue_of(lane) == queue) then rows[#rows + 1] = { entry, one.due, cursor_of(sources) } end
    if #rows == limit then return rows, rows[limit][3] end
  end
  return rows, known < math.huge and cursor_of(sources) or ''
end

local function leased_rows()
  local from, place = string.match(cursor, '^(%d+) (%d+)$')
  from = tonumber(from or '0')
  place = tonumber(place or '0')
  local rows = {}
  local members = redis.call('ZRANGE', KEYS[1], digits(from), digits(from + TIMERS - 1), 'WITHSCORES')
  for i = 1, #members, 2 do
    local lease, rank = string.match(members[i], '^l (%S+)$'), from + (i - 1) / 2
    local left, items = limit - #rows, {}
    lease = lease and may_hold(lease, queue) and lease
    if lease then
      items = redis.pcall('LRANGE', root .. 'lease:' .. lease, digits(place), digits(place + left - 1))
      if items.err then items = {} end
      for n, raw in ipairs(items) do
        rows[#rows + 1] = { read_item(raw).entry or '', members[i + 1], digits(rank) .. ' ' .. digits(place + n) }
      end
    end
    if lease and #items == left then return rows, rows[#rows][3] end
    place = 0
  end
  return rows, #members == 2 * TIMERS and digits(from + TIMERS) .. ' 0' or ''
end

local function dead_rows()
  local from, rows = tonumber(cursor ~= '' and cursor or '0'), {}
  local skip, records = from, letters.records(root, queue)
  for r, key in ipairs(records) do
    local length = r < #records and redis.call('ZCARD', key) or math.huge
    if skip < length and #rows < limit then
      local found = redis.call('ZRANGE', key, digits(skip), digits(skip + limit - #rows - 1), 'WITHSCORES')
      for i = 1, #found, 2 do
        rows[#rows + 1] = { read_item(found[i]).entry or '', found[i + 1], digits(from + #rows + 1) }
      end
    end
    skip = math.max(0, skip - length)
  end
  return rows, #rows == limit and digits(from + limit) or ''
end

local rows_of = { ready = ready_rows, delayed = delayed_rows, leased = leased_rows, dead = dead_rows }
local rows, after = rows_of[ARGV[3]]()

-- What is no entry cannot be shown: the audit reports it.
local shown, entries, ids = {}, {}, {}
for _, row in ipairs(rows) do
  if is_entry(row[1]) then
    shown[#shown + 1], entries[#entries + 1], ids[#ids + 1] = row, row[1], id_of(row[1])
  end
end
local most = tonumber(ARGV[6])
local envelopes = most > 0 and read_envelopes(root, entries, most) or {}
if most > 0 and #envelopes < #shown then after = shown[#envelopes][3] end

-- No item of them has a line feed.
local function callbacks_of(header, id)
  if not (header and header.callbacks) then return '' end
  return table.concat(redis.call('LRANGE', root .. 'callbacks:' .. id, '0', '-1'), '\n')
end

local answer, failures = {}, failures_of(root, ids)
for i = 1, most > 0 and #envelopes or #ids do
  local header = header_of(envelopes[i])
  if ARGV[3] ~= 'leased' or (header and queue_of(header.lane) == queue) then
    for _, field in ipairs({ entries[i], shown[i][2], envelopes[i] or '', failures[i] or '' }) do answer[#answer + 1] = field end
    if ARGV[7] == '1' then answer[#answer + 1] = callbacks_of(header, ids[i]) end
  end
end
return { after, answer }
