-- Bring in a SKU that was never counted in Redis before. Does nothing where a level stands already.
-- KEYS  level
-- ARGV  sku, epoch, available, first version of the epoch, number of its last movement, limit per shopper ('' none),
--       sale whose shoppers alone may have it ('' none)
-- RETURN 1 where it was brought in, else 0
local level = KEYS[1]
local sku, epoch, available, version, number, limit, sale = unpack(ARGV)

if redis.call('EXISTS', level) == 1 then return 0 end
redis.call('HSET', level, 'available', available, 'version', version, 'epoch', epoch, 'number', number)
if limit ~= '' then redis.call('HSET', level, 'limit', limit) end
if sale ~= '' then redis.call('HSET', level, 'sale', sale) end
change(level, sku, 0)
return 1
