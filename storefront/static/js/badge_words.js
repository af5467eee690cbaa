/**
 * What a stock badge says: {state, words, held} for a level and the units the shopper holds himself.
 *
 * An own hold never makes the own item look sold out. `held` is "" where nothing is to be said beside the words.
 * The server renders the same words (templates/macros/stock.html).
 */
export function badgeWords({ state, available }, held) {
  const beside = held > 0 ? `${held} in your cart` : '';
  if (state === 'checking') return { state, words: 'Checking stock…', held: beside };
  if (available === 0 && held > 0) {
    const words = held === 1 ? 'The last one is in your cart' : `The last ${held} are in your cart`;
    return { state: 'low', words, held: '' };
  }
  if (state === 'sold_out') return { state, words: 'Sold out', held: beside };
  if (state === 'low') return { state, words: `Only ${available} left!`, held: beside };
  return { state, words: 'In stock', held: beside };
}
