-- definitions: what the deployment's code says of its queues, as the call brings it along or, where that is long, as Redis keeps it.
--
-- In the call: '\n<queue> <pool>' for each queue, and behind it the words of its policy, if it has one: limits.lua reads them. A queue
-- that is not named is unknown here where '\n!' says that these are all; '-' marks one that another deployment handles. Before them
-- may stand '\n. <number> <ms>', how many dead letters a queue keeps, and for how long.
-- In Redis: '\n@<digest> * <pages>' comes in the place of the queues, with 'a=1' behind it where a push queue has a longest wait. The
-- hash policies:<digest> has for each queue what would stand behind its name, under '@<page>' the names of some of them, and under
-- '!', which is put last, that all of it is there. A call reads the queues that it meets; sweeps keep it from expiring.

--- @include entry

local definitions = {} -- one name for all: sync.lua and sweep.lua are near the most that a script may have

-- So long they are kept where nobody sweeps with them.
definitions.LASTS_MS = 86400000

function definitions.begin(shard, text)
  shard.policies, shard.defined = text, {}
  shard.digest, shard.pages = string.match(text, '\n@(%S+) %* (%d+)')
end

local function read_definitions(shard, fields)
  local unknown = {}
  for _, field in ipairs(fields) do
    if shard.defined[field] == nil then
      shard.defined[field] = false
      unknown[#unknown + 1] = field
    end
  end
  for from = 1, #unknown, CHUNK do
    local to = math.min(from + CHUNK - 1, #unknown)
    local found = redis.pcall('HMGET', shard.root .. 'policies:' .. shard.digest, unpack(unknown, from, to))
    for i = from, found.err and 0 or to do shard.defined[unknown[i]] = found[i - from + 1] end
  end
end

-- Reads what Redis keeps of the queues whose lanes some texts name, which are lanes, envelopes, items of leases or timers, and the other
-- fields named, in one command for up to CHUNK. Returns whether all is there: else the call says 'unknown', before it has changed anything.
function definitions.load(shard, texts, fields)
  if not shard.digest then return true end
  local names = { '!', unpack(fields or {}) }
  for _, text in ipairs(texts) do
    text = text or '' -- of an envelope that is gone
    names[#names + 1] = string.match(text, '^%d:([^/%s]+)') or string.match(text, ' %d:([^/%s]+)')
  end
  read_definitions(shard, names)
  return shard.defined['!'] ~= false
end

-- What is said of a queue, its pool first; false where nothing is.
function definitions.of(shard, queue)
  if shard.defined[queue] == nil and shard.digest then read_definitions(shard, { queue }) end
  if shard.defined[queue] == nil then
    local _, name_end = string.find(shard.policies, '\n' .. queue .. ' ', 1, true)
    shard.defined[queue] = name_end and string.match(shard.policies, '^[^\n]+', name_end + 1) or false
  end
  return shard.defined[queue]
end
