-- Take a shopper out of the line, or end his admission. Safe to run again.
-- KEYS  head, line, admitted, active, news, flow
-- ARGV  server run id, shopper
-- RETURN 1 where he was in it, else 0; or 'checking'
local head, line, admitted, active, news, flow = unpack(KEYS)
if not is_built(head, ARGV[1]) then return 'checking' end

local shopper, at = ARGV[2], now_ms()
if redis.call('ZREM', line, shopper) == 1 then
  redis.call('HINCRBY', head, 'left', 1)
  count_flow(flow, 'out', 1, at)
  return 1
end
local one = read_admission(admitted, shopper)
if not is_in(one) then return 0 end
redis.call('ZREM', active, shopper)
one.state = 'left'
write_admission(admitted, news, one, at)
return 1
