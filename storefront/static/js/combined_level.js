/**
 * One level for several SKUs (the card of a product with variants), or undefined while one of them is not known.
 *
 * Available is the sum; as long as one SKU is being checked, so is the whole.
 */
export function combinedLevel(levels) {
  if (levels.length === 0 || levels.includes(undefined)) return undefined;
  const has = (state) => levels.some((level) => level.state === state);
  const available = levels.reduce((sum, level) => sum + (level.available ?? 0), 0);
  const whole = {
    available,
    version: Math.max(...levels.map((level) => level.version ?? 0)),
    epoch: Math.max(...levels.map((level) => level.epoch ?? 0)),
  };
  if (has('checking')) return { ...whole, available: null, state: 'checking' };
  if (available === 0) return { ...whole, state: 'sold_out' };
  return { ...whole, state: has('in_stock') ? 'in_stock' : 'low' };
}
