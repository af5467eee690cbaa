-- Take units of one SKU for one shopper, all or nothing. Safe to run again with the same id.
-- KEYS  level, holds, due, held, bought (keys.of)
-- ARGV  sku, epoch, reservation id, shopper ('' is the shop itself: no limit), units, hold in ms,
--       seen: how many units the shopper believed to hold, or -1 (then not asked),
--       permit: the sale the shopper was admitted to, or ''
-- RETURN {outcome, units held by the shopper, available, version, time of the last change in ms,
--        and where held: deadline in ms, units of this reservation, time of the grant in ms;
--        where limit_reached: the limit; where pass_required: the sale}
--       outcome: held | held_before (same id) | already (holds more than seen) |
--                pass_required | sold_out | insufficient_stock | limit_reached | checking
local level, holds, due, held, bought = unpack(KEYS)
local sku, epoch, id, shopper = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local units, hold_ms, seen, permit = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8]

local available, version, at_ms = open_level(level, epoch)
if not available then return {'checking'} end

local own = tonumber(redis.call('HGET', held, shopper) or 0)
local function answer(outcome, ...) return {outcome, own, available, version, at_ms, ...} end

local units_before, _, granted_before = read_hold(holds, id)
if units_before then
  return answer('held_before', tonumber(redis.call('ZSCORE', due, id)), units_before, tonumber(granted_before))
end
if seen >= 0 and own > seen then return answer('already') end

local sale = shopper ~= '' and redis.call('HGET', level, 'sale')
if sale and sale ~= permit then return answer('pass_required', sale) end
local limit = shopper ~= '' and tonumber(redis.call('HGET', level, 'limit'))
if limit and own + tonumber(redis.call('HGET', bought, shopper) or 0) + units > limit then
  return answer('limit_reached', limit)
end
if available <= 0 then return answer('sold_out') end
if available < units then return answer('insufficient_stock') end

local granted_at_ms = now_ms()
local deadline = granted_at_ms + hold_ms
write_hold(holds, id, units, string.format('%.0f', granted_at_ms), shopper)
redis.call('ZADD', due, deadline, id)
own = redis.call('HINCRBY', held, shopper, units)
available, version, at_ms = change(level, sku, -units)
return answer('held', deadline, units, granted_at_ms)
