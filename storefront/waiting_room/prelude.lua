-- Shared by the scripts of the waiting room: put before each of them when they are loaded.

local DRAWN = 4503599627370496 -- 2^52: a score below it was drawn by lot, one above it follows arrival
local EPOCH = 1099511627776 -- 2^40 ordinals in an epoch; 4,096 epochs until a double is not exact any more
local BUCKET_MS = 5000 -- of the flow
local SPAN = 12 -- buckets that count for the outflow: the last minute

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function text(number) return string.format('%.0f', number) end

-- Whether the queue was built on this server process: one that restarted may have come back without the last joins.
local function is_built(head, run_id)
  return run_id ~= '' and redis.call('HGET', head, 'run_id') == run_id
end

-- The place of a shopper: the lower the earlier. A lot is a digest of the secret seed and the shopper,
-- so that everybody can check it once the seed is known.
local function score_of(seed, shopper, drawn, epoch, ordinal)
  if drawn then return tonumber(redis.sha1hex(seed .. ':' .. shopper):sub(1, 13), 16) end
  return DRAWN + epoch * EPOCH + ordinal
end

-- {epoch, ordinal, drawn (1 or 0)} of a score: what goes onto a ticket. A place drawn by lot has no ordinal, and is
-- proved by the ticket to every later queue than the present one.
local function place_of(score, present_epoch)
  if score < DRAWN then return {present_epoch, 0, 1} end
  local rest = score - DRAWN
  local epoch = math.floor(rest / EPOCH)
  return {epoch, rest - epoch * EPOCH, 0}
end

-- What is known of an admitted shopper, or nil.
local function read_admission(admitted, shopper)
  local record = redis.call('HGET', admitted, shopper)
  if not record then return nil end
  local state, epoch, number, score, admitted_at, expires_at, extensions =
    record:match('^([a-z_]+)|(%d+)|(%d+)|(%d+)|(%d+)|(%d+)|(%d+)$')
  return {
    shopper = shopper, state = state, epoch = epoch, number = number, score = score,
    admitted_at = admitted_at, expires_at = expires_at, extensions = extensions,
  }
end

-- Keep what became of an admission, and leave a note of it for SQL.
local function write_admission(admitted, news, one, at)
  redis.call('HSET', admitted, one.shopper, table.concat({
    one.state, one.epoch, one.number, one.score, one.admitted_at, one.expires_at, one.extensions}, '|'))
  redis.call('XADD', news, '*', 'shopper', one.shopper, 'state', one.state, 'epoch', one.epoch,
    'number', one.number, 'score', one.score, 'admitted_at', one.admitted_at, 'expires_at', one.expires_at,
    'extensions', one.extensions, 'at', text(at))
end

local function is_in(one) return one ~= nil and (one.state == 'granted' or one.state == 'arrived') end

local function tell(message) redis.call('PUBLISH', 'sales', cjson.encode(message)) end

local function count_flow(flow, way, shoppers, at)
  redis.call('HINCRBY', flow, text(math.floor(at / BUCKET_MS)) .. ':' .. way, shoppers)
end

-- How many were admitted and how many left in the last whole minute of buckets, and what part of it there was (ms).
local function read_flow(flow, at, since)
  local last = math.floor(at / BUCKET_MS)
  local admitted, left = 0, 0
  for bucket = last - SPAN + 1, last do
    local found = redis.call('HMGET', flow, text(bucket) .. ':in', text(bucket) .. ':out')
    admitted = admitted + tonumber(found[1] or 0)
    left = left + tonumber(found[2] or 0)
  end
  local span = at - (last - SPAN + 1) * BUCKET_MS
  return admitted, left, math.max(1, math.min(span, at - since))
end
