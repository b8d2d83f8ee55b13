-- Changes a parked message's entry, or forgets it for good; the record of a parked write then says what became of it.
--
-- KEYS[1]  parked; KEYS[2]  how often it was started; KEYS[3]  counts; KEYS[4]  its record
-- ARGV[1]  task id; ARGV[2]  the entry as it was seen; ARGV[3]  the entry that it becomes, or '' to forget it
-- ARGV[4]  the record, or '' where it is to stay as it is; ARGV[5]  what to count once it is forgotten
-- returns  1, or 0 where the entry is gone or another one by now
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then
  return 0
end
if ARGV[3] ~= '' then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
  return 1
end
if ARGV[4] ~= '' then
  redis.call('SET', KEYS[4], ARGV[4], 'KEEPTTL')
end
redis.call('DEL', KEYS[2])
redis.call('HINCRBY', KEYS[3], ARGV[5], 1)
redis.call('HDEL', KEYS[1], ARGV[1])
return 1
