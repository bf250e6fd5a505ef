-- get-topic: what a publication needs to know: the subscriptions of a topic, and whether this very request was applied before.
-- A script, because it runs where writes do: a replica could have missed the newest subscription.
--
-- KEYS[1]  hash     topic:<topic>|topics  subscription → JSON, or topic → how many subscriptions
-- KEYS[2]  string?  req:<token>           the request, once applied
-- KEYS[3]  string?  awake                 with KEYS[2]
-- Beyond   nothing: all its keys are declared
-- Returns  {{field, value, …}, what is stored of the request or '', '1' if its caller should start a drain}
-- Replay   reads only
-- Cost     2 commands, 3 or 4 with a request

--- @include entry

local fields = redis.call('HGETALL', KEYS[1])
local request = KEYS[2] and text_of(KEYS[2]) or ''
local base = string.match(request, '^%S+ (%S+)')
local awake = base and text_of(KEYS[3])
return { fields, request, base and (awake == base or awake == '') and '1' or '0' } -- nobody awake: whoever was asked may be gone
