-- subscribe: adds a subscription to a topic, or changes it; where asked for, only one that is as it was read.
--
-- KEYS[1]  hash  topic:<topic>  subscription → JSON
-- KEYS[2]  hash  topics         topic → how many subscriptions it has
-- Beyond   nothing: all its keys are declared
-- ARGV[1]  text    topic
-- ARGV[2]  text    id                 id of the subscription
-- ARGV[3]  text    json               JSON of it
-- ARGV[4]  number  mostSubscriptions  the most subscriptions of a topic
-- ARGV[5]  number  mostTopics         the most topics
-- ARGV[6]  text?   read               JSON of it, as it was read
-- Returns  'subscribed'; 'full', or 'changed' since it was read, where nothing was changed
-- Replay   the same answer, and the same state
-- Cost     6 commands

if ARGV[6] then
  local stands = redis.call('HGET', KEYS[1], ARGV[2])
  if stands ~= ARGV[6] and stands ~= ARGV[3] then return 'changed' end -- as ARGV[3] says: this very call was made before
end
local count = redis.call('HLEN', KEYS[1])
local known = redis.call('HEXISTS', KEYS[1], ARGV[2]) == 1
local topics = redis.call('HLEN', KEYS[2])
if not known and count >= tonumber(ARGV[4]) then return 'full' end
if count == 0 and topics >= tonumber(ARGV[5]) then return 'full' end
redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
if known then return 'subscribed' end
local counted = redis.pcall('HSET', KEYS[2], ARGV[1], string.format('%d', count + 1))
if type(counted) == 'number' then return 'subscribed' end
redis.call('HDEL', KEYS[1], ARGV[2]) -- without its count it would be one of which nobody is told
return counted
