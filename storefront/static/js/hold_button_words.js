/**
 * What the hold button says and whether it can be pressed: {words, disabled} for a level and the units held.
 *
 * The server renders the same words (templates/macros/hold.html).
 */
export function holdButtonWords(level, held) {
  if (level?.state === 'sold_out') return { words: held > 0 ? 'No more left' : 'Sold out', disabled: true };
  return { words: held > 0 ? 'Add another' : 'Add to cart', disabled: false };
}
