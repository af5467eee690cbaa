-- End the admission of some shoppers: their slots fall free. Safe to run again.
-- KEYS  head, admitted, active, news
-- ARGV  server run id, why ('spent'; '' means: those whose time is over, at most 100 of them), shopper, …
-- RETURN how many ended; or 'checking'
local head, admitted, active, news = unpack(KEYS)
if not is_built(head, ARGV[1]) then return 'checking' end

local at, why, ended = now_ms(), ARGV[2], {}
local shoppers = why == '' and redis.call('ZRANGEBYSCORE', active, '-inf', text(at), 'LIMIT', 0, 100)
  or {unpack(ARGV, 3)}
for _, shopper in ipairs(shoppers) do
  local one = read_admission(admitted, shopper)
  redis.call('ZREM', active, shopper)
  if is_in(one) then
    local over = one.state == 'granted' and 'no_show' or 'expired'
    one.state = why == '' and over or why
    if one.state == 'no_show' then redis.call('HINCRBY', head, 'no_shows', 1) end
    write_admission(admitted, news, one, at)
    ended[#ended + 1] = shopper
  end
end
if #ended > 0 then tell({sale = redis.call('HGET', head, 'slug'), ended = ended}) end
return #ended
