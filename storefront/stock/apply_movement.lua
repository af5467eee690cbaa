-- Apply the movement with number n of a SKU, only if n-1 was the last one applied.
-- KEYS  level, holds, due, held, bought (keys.of)
-- ARGV  sku, epoch, number, units by which the sellable stock changes, shopper who gets back his limit ('' none),
--       units of it
-- RETURN applied | applied_before | gap | checking
-- The first write is an HDEL (of nothing): Redis allows that at maxmemory, and once a script has written it may go on.
local level, bought = KEYS[1], KEYS[5]
local sku, epoch, number, units = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local shopper, returned = ARGV[5], tonumber(ARGV[6])

if not open_level(level, epoch) then return 'checking' end
local last = tonumber(redis.call('HGET', level, 'number'))
if number <= last then return 'applied_before' end
if number > last + 1 then return 'gap' end

redis.call('HDEL', level, '')
redis.call('HSET', level, 'number', number)
count_bought(level, bought, shopper, -returned)
change(level, sku, units)
return 'applied'
