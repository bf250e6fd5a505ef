-- unsubscribe: takes a subscription out of a topic, or removes the topic with all of them.
--
-- KEYS[1]  hash  topic:<topic>  subscription → JSON
-- KEYS[2]  hash  topics         topic → how many subscriptions it has
-- Beyond   nothing: all its keys are declared
-- ARGV[1]  text  topic
-- ARGV[2]  text  id     id of the subscription; '' for all
-- Returns  how many went
-- Replay   0
-- Cost     5 or 6 commands; 3 where there is nothing

local before = redis.call('HLEN', KEYS[1])
redis.call('HLEN', KEYS[2]) -- of a wrong type it fails here, before anything is changed
if before == 0 then return 0 end
local gone = before
if ARGV[2] ~= '' then gone = redis.call('HEXISTS', KEYS[1], ARGV[2]) end
if gone < before then -- the count first: it is the one that may be refused
  redis.call('HSET', KEYS[2], ARGV[1], string.format('%d', before - gone))
  redis.call('HDEL', KEYS[1], ARGV[2])
else
  redis.call('HDEL', KEYS[2], ARGV[1])
  redis.call('UNLINK', KEYS[1])
end
return gone
