-- Takes a malformed item out of its list, and puts the message that was made of it into its queue.
--
-- KEYS[1]  the list; KEYS[2]  counts; KEYS[3]  the queue; ARGV[1]  the item; ARGV[2]  the message, or '' to forget the item
-- returns  1, or 0 where the item is gone
if not redis.call('LPOS', KEYS[1], ARGV[1]) then
  return 0
end
if ARGV[2] ~= '' then
  redis.call('LPUSH', KEYS[3], ARGV[2])
end
redis.call('HINCRBY', KEYS[2], ARGV[2] ~= '' and 'malformed_requeued' or 'malformed_discarded', 1)
redis.call('LREM', KEYS[1], 1, ARGV[1])
return 1
