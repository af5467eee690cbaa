-- Let in those at the head of the line: out of the line and into the sale in one step, so that nobody is lost or
-- let in twice whoever dies. At most so many as the rate, the number of active shoppers and the units allow.
-- KEYS  head, line, admitted, active, news, flow
-- ARGV  server run id, most: how many the free units allow, seen: how many had been admitted when they were counted
-- RETURN how many were let in; or 'checking'
local head, line, admitted, active, news, flow = unpack(KEYS)
if not is_built(head, ARGV[1]) then return 'checking' end

local MOST_AT_ONCE = 100
local names = {'state', 'epoch', 'number', 'rate', 'active_most', 'pass_ms', 'grace_ms', 'tokens', 'filled_at_ms',
  'hold_until_ms'}
local values = redis.call('HMGET', head, unpack(names))
local sale = {}
for i, name in ipairs(names) do sale[name] = tonumber(values[i] or 0) or 0 end
local state, at = values[1], now_ms()
if (state ~= 'open' and state ~= 'draining') or at < sale.hold_until_ms or sale.number ~= tonumber(ARGV[3]) then
  return 0
end

local elapsed = sale.filled_at_ms > 0 and math.max(0, at - sale.filled_at_ms) or 1000
local tokens = math.min(sale.tokens + elapsed * sale.rate / 1000, math.max(sale.rate, 1))
local free = sale.active_most - redis.call('ZCARD', active)
local n = math.max(0, math.min(math.floor(tokens + 1e-6), free, tonumber(ARGV[2]), MOST_AT_ONCE))
local popped = n > 0 and redis.call('ZPOPMIN', line, n) or {}
local expires_at, let_in = at + sale.pass_ms, {}
for i = 1, #popped, 2 do
  local shopper, score = popped[i], tonumber(popped[i + 1])
  local number = redis.call('HINCRBY', head, 'number', 1)
  redis.call('ZADD', active, text(at + math.min(sale.grace_ms, sale.pass_ms)), shopper)
  write_admission(admitted, news, {
    shopper = shopper, state = 'granted', epoch = text(sale.epoch), number = text(number), score = text(score),
    admitted_at = text(at), expires_at = text(expires_at), extensions = '0',
  }, at)
  let_in[shopper] = expires_at
end
local count = #popped / 2
redis.call('HSET', head, 'tokens', tostring(tokens - count), 'filled_at_ms', text(at))
if count == 0 then return 0 end
redis.call('HINCRBY', head, 'admitted', count)
count_flow(flow, 'in', count, at)
tell({sale = redis.call('HGET', head, 'slug'), admitted = let_in})
return count
