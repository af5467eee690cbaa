-- Look at the queue and at the places of some shoppers. Whoever shows a ticket from before the queue was lost
-- is put back where he was; else nothing changes.
-- KEYS  head, line, admitted, active, flow
-- ARGV  server run id, then for each shopper: shopper, and of his ticket: epoch (0 none), ordinal, drawn (1 or 0)
-- RETURN {what the head says as {field, value, …}, waiting, active, admitted of late, left of late, in how many ms,
--        now in ms, for each {state, a, b}}:
--        'waiting', position (0: not drawn yet), place as {epoch, ordinal, drawn}
--        'granted' | 'arrived' | 'spent' | 'no_show' | 'expired' | 'left', end of the pass in ms, extensions
--        'none': never here, or left the line; or 'checking'
local head, line, admitted, active, flow = unpack(KEYS)
if not is_built(head, ARGV[1]) then return 'checking' end

local at = now_ms()
local found = redis.call('HMGET', head, 'state', 'epoch', 'seed', 'shuffle', 'opened_at_ms')
local state, epoch, seed = found[1], tonumber(found[2]), found[3]
local drawing = (state == 'lobby' or state == 'announced') and found[4] == '1'

local function waiting(shopper)
  local rank = redis.call('ZRANK', line, shopper)
  if not rank then return nil end
  return {'waiting', drawing and 0 or rank + 1, place_of(tonumber(redis.call('ZSCORE', line, shopper)), epoch)}
end

local function put_back(shopper, of_epoch, ordinal, drawn)
  if of_epoch == 0 or of_epoch >= epoch or state == 'closed' then return false end
  redis.call('ZADD', line, text(score_of(seed, shopper, drawn == 1, of_epoch, ordinal)), shopper)
  return true
end

local answers = {}
for i = 2, #ARGV, 4 do
  local shopper = ARGV[i]
  local answer = waiting(shopper)
  if not answer then
    local one = read_admission(admitted, shopper)
    if one then
      answer = {one.state, tonumber(one.expires_at), tonumber(one.extensions)}
    elseif put_back(shopper, tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3])) then
      answer = waiting(shopper)
    end
  end
  answers[#answers + 1] = answer or {'none'}
end
local came, left, span = read_flow(flow, at, tonumber(found[5] or 0) or 0)
return {
  redis.call('HGETALL', head), redis.call('ZCARD', line), redis.call('ZCARD', active), came, left, span, at, answers,
}
