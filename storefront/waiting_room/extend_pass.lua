-- Give the pass of a shopper who has shown up its full length once more, from now on.
-- KEYS  head, admitted, active, news
-- ARGV  server run id, shopper, most extensions
-- RETURN {outcome, end of the pass in ms, extensions}; outcome: extended | most | none; or 'checking'
local head, admitted, active, news = unpack(KEYS)
if not is_built(head, ARGV[1]) then return 'checking' end

local one, at = read_admission(admitted, ARGV[2]), now_ms()
if not one or one.state ~= 'arrived' or at >= tonumber(one.expires_at) then return {'none', 0, 0} end
local extensions = tonumber(one.extensions)
if extensions >= tonumber(ARGV[3]) then return {'most', tonumber(one.expires_at), extensions} end
local expires_at = at + tonumber(redis.call('HGET', head, 'pass_ms'))
one.expires_at, one.extensions = text(expires_at), text(extensions + 1)
redis.call('ZADD', active, one.expires_at, one.shopper)
write_admission(admitted, news, one, at)
return {'extended', expires_at, extensions + 1}
