-- Put admissions that SQL knows into a queue that is being rebuilt; what Redis knows itself is as new or newer,
-- except that somebody admitted is not in the line.
-- KEYS  line, admitted, active
-- ARGV  for each: shopper, record (see keys.admitted), when his slot falls free in ms ('' it has)
-- RETURN how many were put in
local line, admitted, active = unpack(KEYS)
local added = 0
for i = 1, #ARGV, 3 do
  local shopper, record, free_at = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if redis.call('HSETNX', admitted, shopper, record) == 1 then
    added = added + 1
    if free_at ~= '' then
      redis.call('ZREM', line, shopper)
      redis.call('ZADD', active, free_at, shopper)
    end
  end
end
return added
