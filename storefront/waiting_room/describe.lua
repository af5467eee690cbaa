-- Copy what SQL says of a sale into its head, unless what stands there is as new; tell everybody where its state or
-- message changed.
-- KEYS  head
-- ARGV  server run id, version, then field, value, …
-- RETURN 1 where it was copied, else 0; or 'checking'
local head = KEYS[1]
if not is_built(head, ARGV[1]) then return 'checking' end

local before = redis.call('HMGET', head, 'version', 'state', 'message')
if tonumber(before[1] or 0) >= tonumber(ARGV[2]) then return 0 end
redis.call('HSET', head, 'version', ARGV[2], unpack(ARGV, 3))
local after = redis.call('HMGET', head, 'slug', 'state', 'message')
if before[2] ~= after[2] or before[3] ~= after[3] then
  tell({sale = after[1], state = after[2], message = after[3]})
end
return 1
