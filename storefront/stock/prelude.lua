-- Shared by the stock scripts: put before each of them when they are loaded.

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Add units (may be negative) to what is available, raise the version, tell everybody.
-- The message leaves in the same step as the change, so that order and version agree with it.
local function change(level_key, sku, units)
  local available = redis.call('HINCRBY', level_key, 'available', units)
  local version = redis.call('HINCRBY', level_key, 'version', 1)
  local at = now_ms()
  local at_ms = string.format('%.0f', at)
  redis.call('HSET', level_key, 'at_ms', at_ms)
  redis.call('PUBLISH', 'stock', string.format(
    '{"sku":%s,"available":%d,"version":%.0f,"epoch":%s,"at_ms":%s}',
    cjson.encode(sku), math.max(available, 0), version, redis.call('HGET', level_key, 'epoch'), at_ms))
  return available, version, at
end

-- available, version and time of the last change of a level; nil where the counter is missing or of another epoch.
local function open_level(level_key, epoch)
  local found = redis.call('HMGET', level_key, 'available', 'version', 'epoch', 'at_ms')
  if found[3] ~= epoch then return nil end
  return tonumber(found[1]), tonumber(found[2]), tonumber(found[4])
end

-- units, shopper and time of the grant (ms, as text) of a hold; nil where there is none.
local function read_hold(holds_key, id)
  local hold = redis.call('HGET', holds_key, id)
  if not hold then return nil end
  local units, granted_at_ms, shopper = hold:match('^(%d+):(%d+):(.*)$')
  return tonumber(units), shopper, granted_at_ms
end

local function write_hold(holds_key, id, units, granted_at_ms, shopper)
  redis.call('HSET', holds_key, id, units .. ':' .. granted_at_ms .. ':' .. shopper)
end

-- Count units a shopper has ordered (below 0: cancelled), for the limit. The order in which they are told does
-- not matter: a cancellation may be counted before its sale.
local function count_bought(level_key, bought_key, shopper, units)
  if shopper == '' or redis.call('HEXISTS', level_key, 'limit') == 0 then return end
  if redis.call('HINCRBY', bought_key, shopper, units) == 0 then redis.call('HDEL', bought_key, shopper) end
end
