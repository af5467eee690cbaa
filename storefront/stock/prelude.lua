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

local function read_hold(holds_key, id)
  local hold = redis.call('HGET', holds_key, id)
  if not hold then return nil end
  local units, shopper = hold:match('^(%d+):(.*)$')
  return tonumber(units), shopper
end
