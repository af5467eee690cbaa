-- Hand the place of one shopper to another: the same person on another device. Once only, for then it is not his
-- any more.
-- KEYS  head, line, admitted, active, news
-- ARGV  server run id, from, to
-- RETURN 1 where there was a place to move, else 0; or 'checking'
local head, line, admitted, active, news = unpack(KEYS)
if not is_built(head, ARGV[1]) then return 'checking' end

local from, to = ARGV[2], ARGV[3]
if from == to then return 1 end
local score = redis.call('ZSCORE', line, from)
local one = read_admission(admitted, from)
if not score and not is_in(one) then return 0 end
if is_in(read_admission(admitted, to)) then return 0 end
if score then
  redis.call('ZREM', line, from)
  redis.call('ZADD', line, score, to)
  return 1
end
local until_ms = redis.call('ZSCORE', active, from)
redis.call('ZREM', line, to)
redis.call('HDEL', admitted, from)
redis.call('ZREM', active, from)
redis.call('ZADD', active, until_ms, to)
one.shopper = to
write_admission(admitted, news, one, now_ms())
return 1
