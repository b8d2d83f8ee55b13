-- Moves a message that was taken and can't be read in Python to its queue's malformed items.
--
-- KEYS[1]  unacked; KEYS[2]  unacked_index; KEYS[3]  the queue's malformed items; KEYS[4]  counts
-- ARGV[1]  its tag; ARGV[2]  the message
redis.call('LPUSH', KEYS[3], ARGV[2])
redis.call('HINCRBY', KEYS[4], 'messages_malformed', 1)
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
