-- ring-page: a page of a ring's items; nothing moves.
--
-- KEYS[1]  list  ring   the next item stands right
-- Beyond   nothing: all its keys are declared
-- ARGV[1]  number  from  rank of the page's last item, counted from the right: -1 is the next to come
-- ARGV[2]  number  to    rank of its first item
-- Returns  {length, {item, …}}, the next to come last
-- Replay   reads only
-- Cost     3 commands

--- @include clock

return { digits(redis.call('LLEN', KEYS[1])), redis.call('LRANGE', KEYS[1], ARGV[1], ARGV[2]) }
