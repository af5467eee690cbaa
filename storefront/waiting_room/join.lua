-- Give each of some shoppers a place at the end of the line, in the order in which they are named. Whoever has a
-- place keeps it, so it is safe to run again; whoever shows a ticket from before the queue was lost gets his back.
-- KEYS  head, line, admitted, emails
-- ARGV  server run id, then for each shopper "shopper|digest of his address ('' none)|ticket", and of the ticket he
--       shows "epoch (0 none)|ordinal|drawn (1 or 0)": one text each, for a call names a hundred of them
-- RETURN {state of the sale, for each "outcome|epoch|ordinal|drawn|position (0: places of the lobby are secret)"};
--        outcome: joined | kept | admitted | address_taken | refused; or 'checking'
local head, line, admitted, emails = unpack(KEYS)
if not is_built(head, ARGV[1]) then return 'checking' end

local found = redis.call('HMGET', head, 'state', 'epoch', 'seed', 'shuffle', 'one_per_email')
local state, epoch, seed, one_per_email = found[1], tonumber(found[2]), found[3], found[5] == '1'
local drawing = state == 'lobby' and found[4] == '1'
local takes = state == 'lobby' or state == 'open' or state == 'paused' or state == 'sold_out'

local function position_of(shopper)
  return drawing and 0 or redis.call('ZRANK', line, shopper) + 1
end

local function kept(shopper)
  local epoch_of, ordinal, drawn = unpack(place_of(tonumber(redis.call('ZSCORE', line, shopper)), epoch))
  return 'kept', epoch_of, ordinal, drawn, position_of(shopper)
end

local function was_before(of_epoch) return of_epoch > 0 and of_epoch < epoch and state ~= 'closed' end

local function restored(shopper, of_epoch, ordinal, drawn)
  redis.call('ZADD', line, text(score_of(seed, shopper, drawn == 1, of_epoch, ordinal)), shopper)
  return 'kept', of_epoch, ordinal, drawn, position_of(shopper)
end

local function taken_by_other(shopper, address)
  if not one_per_email or address == '' then return false end
  local other = redis.call('HGET', emails, address)
  if not other or other == shopper then return false end
  return redis.call('ZSCORE', line, other) or is_in(read_admission(admitted, other))
end

local function joined(shopper, address)
  if not takes then return 'refused', 0, 0, 0, 0 end
  if taken_by_other(shopper, address) then return 'address_taken', 0, 0, 0, 0 end
  if one_per_email then redis.call('HSET', emails, address, shopper) end
  local ordinal = redis.call('HINCRBY', head, 'ordinal', 1)
  redis.call('HINCRBY', head, 'joined', 1)
  redis.call('ZADD', line, text(score_of(seed, shopper, drawing, epoch, ordinal)), shopper)
  return 'joined', epoch, drawing and 0 or ordinal, drawing and 1 or 0, position_of(shopper)
end

local function answer(shopper, address, of_epoch, ordinal, drawn)
  local one = read_admission(admitted, shopper)
  if is_in(one) then
    local place = place_of(tonumber(one.score), epoch)
    return 'admitted', place[1], place[2], place[3], 0
  end
  if redis.call('ZSCORE', line, shopper) then return kept(shopper) end
  if not one and was_before(of_epoch) then return restored(shopper, of_epoch, ordinal, drawn) end
  return joined(shopper, address)
end

local answers = {}
for i = 2, #ARGV do
  local shopper, address, of_epoch, ordinal, drawn = ARGV[i]:match('^([^|]+)|(%x*)|(%d+)|(%d+)|(%d)$')
  answers[i - 1] = string.format('%s|%.0f|%.0f|%.0f|%.0f',
    answer(shopper, address, tonumber(of_epoch), tonumber(ordinal), tonumber(drawn)))
end
return {state, answers}
