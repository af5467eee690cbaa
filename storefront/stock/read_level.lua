-- Read the level of a SKU, if it may be trusted.
-- KEYS  level
-- ARGV  epoch
-- RETURN {available, version, time of the last change in ms, number of the last movement},
--        or nil where the counter is missing or of another epoch
local available, version, at_ms = open_level(KEYS[1], ARGV[1])
if not available then return nil end
return {available, version, at_ms, tonumber(redis.call('HGET', KEYS[1], 'number'))}
