const MOST_SKUS = 150; // the server takes 200 in one request
const MOST_CHARACTERS = 6_000; // of a query; servers refuse request lines over 8,192
const BESIDE_CHARACTERS = 20; // "sku=", "&" and a version

/** SKUs in slices that fit into one request each, in their order. */
export function slices(skus) {
  const cut = [];
  let room = 0;
  for (const sku of skus) {
    const size = encodeURIComponent(sku).length + BESIDE_CHARACTERS;
    if (room < size || cut.at(-1).length === MOST_SKUS) {
      cut.push([]);
      room = MOST_CHARACTERS;
    }
    cut.at(-1).push(sku);
    room -= size;
  }
  return cut;
}
