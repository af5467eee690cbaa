-- An admitted shopper has shown up: his slot is his until his pass ends. Safe to run again.
-- KEYS  head, admitted, active, news
-- ARGV  server run id, shopper
-- RETURN {state of his admission ('none' where there is none), end of the pass in ms, extensions}; or 'checking'
local head, admitted, active, news = unpack(KEYS)
if not is_built(head, ARGV[1]) then return 'checking' end

local one, at = read_admission(admitted, ARGV[2]), now_ms()
if not one then return {'none', 0, 0} end
if one.state == 'granted' and at < tonumber(redis.call('ZSCORE', active, one.shopper) or 0) then
  one.state = 'arrived'
  redis.call('ZADD', active, one.expires_at, one.shopper)
  write_admission(admitted, news, one, at)
elseif is_in(one) and at >= tonumber(redis.call('ZSCORE', active, one.shopper) or 0) then
  return {one.state == 'granted' and 'no_show' or 'expired', tonumber(one.expires_at), tonumber(one.extensions)}
end
return {one.state, tonumber(one.expires_at), tonumber(one.extensions)}
