-- Let a hold go, wholly or in part, after SQL has let go of it. Safe to run again: a hold that is gone gives nothing.
-- KEYS  level, holds, due, held, bought (keys.of)
-- ARGV  sku, reservation id, units that stay held (0: none), units that went into an order (0: none),
--       time of the grant that was ordered, in ms: a late click may have taken new units under the same id, and
--       those were not ordered
-- RETURN {units given back, available, version}
-- The first write is an HDEL: Redis allows that at maxmemory, and once a script has written it may go on.
local level, holds, due, held, bought = unpack(KEYS)
local sku, id, staying, ordered = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])

local units, shopper, granted_at_ms = read_hold(holds, id)
if granted_at_ms ~= ARGV[5] then ordered = 0 end
if not units then redis.call('ZREM', due, id) end
if not units or units <= staying then
  local found = redis.call('HMGET', level, 'available', 'version')
  return {0, tonumber(found[1] or 0), tonumber(found[2] or 0)}
end

redis.call('HDEL', holds, id)
if staying > 0 then
  write_hold(holds, id, staying, granted_at_ms, shopper)
else
  redis.call('ZREM', due, id)
end
if redis.call('HINCRBY', held, shopper, staying - units) <= 0 then redis.call('HDEL', held, shopper) end
if ordered > 0 then count_bought(level, bought, shopper, ordered) end

local back = units - staying - ordered
if back == 0 then
  local found = redis.call('HMGET', level, 'available', 'version')
  return {0, tonumber(found[1]), tonumber(found[2])}
end
local available, version = change(level, sku, back)
return {back, available, version}
