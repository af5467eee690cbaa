-- Give each of some shoppers a place at the end of the line, in the order in which they are named. Whoever has a
-- place keeps it, so it is safe to run again; whoever shows a ticket from before the queue was lost gets his back.
-- KEYS  head, line, admitted, emails
-- ARGV  server run id, then for each shopper: shopper, digest of his address ('' none),
--       and of the ticket he shows: epoch (0 none), ordinal, drawn (1 or 0)
-- RETURN {state of the sale, places of a drawn lobby are secret (1 or 0), for each {outcome, epoch, ordinal, drawn,
--        position (0: secret)}}; outcome: joined | kept | admitted | address_taken | refused; or 'checking'
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
  local score = redis.call('ZSCORE', line, shopper)
  if not score then return nil end
  local epoch_of, ordinal, drawn = unpack(place_of(tonumber(score)))
  return {'kept', epoch_of, ordinal, drawn, position_of(shopper)}
end

local function restored(shopper, of_epoch, ordinal, drawn)
  if of_epoch == 0 or of_epoch >= epoch or state == 'closed' then return nil end
  redis.call('ZADD', line, text(score_of(seed, shopper, drawn == 1, of_epoch, ordinal)), shopper)
  return {'kept', of_epoch, ordinal, drawn, position_of(shopper)}
end

local function taken_by_other(shopper, address)
  if not one_per_email or address == '' then return false end
  local other = redis.call('HGET', emails, address)
  if not other or other == shopper then return false end
  return redis.call('ZSCORE', line, other) or is_in(read_admission(admitted, other))
end

local function joined(shopper, address)
  if not takes then return {'refused', 0, 0, 0, 0} end
  if taken_by_other(shopper, address) then return {'address_taken', 0, 0, 0, 0} end
  if one_per_email then redis.call('HSET', emails, address, shopper) end
  local ordinal = redis.call('HINCRBY', head, 'ordinal', 1)
  redis.call('HINCRBY', head, 'joined', 1)
  redis.call('ZADD', line, text(score_of(seed, shopper, drawing, epoch, ordinal)), shopper)
  return {'joined', epoch, drawing and 0 or ordinal, drawing and 1 or 0, position_of(shopper)}
end

local answers = {}
for i = 2, #ARGV, 5 do
  local shopper, address = ARGV[i], ARGV[i + 1]
  local one = read_admission(admitted, shopper)
  if is_in(one) then
    local place = place_of(tonumber(one.score))
    answers[#answers + 1] = {'admitted', place[1], place[2], place[3], 0}
  else
    answers[#answers + 1] = kept(shopper)
      or (not one and restored(shopper, tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3]), tonumber(ARGV[i + 4])))
      or joined(shopper, address)
  end
end
return {state, drawing and 1 or 0, answers}
