-- Move the deadline of a hold to the one SQL has, never backwards. Safe to run again.
-- KEYS  due
-- ARGV  reservation id, deadline in ms
-- RETURN the deadline in ms, or nil where the hold is gone
local due, id, deadline = KEYS[1], ARGV[1], tonumber(ARGV[2])

local before = tonumber(redis.call('ZSCORE', due, id) or nil)
if not before then return nil end
if deadline <= before then return before end
redis.call('ZADD', due, 'XX', deadline, id)
return deadline
