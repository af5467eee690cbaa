-- Let a hold go, wholly or in part, after SQL has let go of it. Safe to run again: a hold that is gone gives nothing.
-- KEYS  level, holds, due, held, bought (keys.of)
-- ARGV  sku, reservation id, units that stay held (0: none), units that went into an order (0: none)
-- RETURN {units given back, available, version}
-- The first write is an HDEL: Redis allows that at maxmemory, and once a script has written it may go on.
local level, holds, due, held, bought = unpack(KEYS)
local sku, id, staying, ordered = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])

local units, shopper = read_hold(holds, id)
if not units or units <= staying then
  local found = redis.call('HMGET', level, 'available', 'version')
  return {0, tonumber(found[1] or 0), tonumber(found[2] or 0)}
end

redis.call('HDEL', holds, id)
if staying > 0 then
  redis.call('HSET', holds, id, staying .. ':' .. shopper)
else
  redis.call('ZREM', due, id)
end
if redis.call('HINCRBY', held, shopper, staying - units) <= 0 then redis.call('HDEL', held, shopper) end
if ordered > 0 and shopper ~= '' and redis.call('HEXISTS', level, 'limit') == 1 then
  redis.call('HINCRBY', bought, shopper, ordered)
end

local back = units - staying - ordered
if back == 0 then
  local found = redis.call('HMGET', level, 'available', 'version')
  return {0, tonumber(found[1]), tonumber(found[2])}
end
local available, version = change(level, sku, back)
return {back, available, version}
