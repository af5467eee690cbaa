/**
 * The level to keep of two for one SKU: the newer one, or `known` itself where `told` brings nothing.
 *
 * A level is {sku, available, version, epoch, state}. Order is by epoch, then version. Within one version a level may
 * still change between "checking" and open (the gate moves without a stock change), and a level whose state the page
 * had to guess (`guessed`, from an answer without one) corrects a count and gives way to the told one. A "checking" without a version says nothing about order.
 */
export function newest(known, told) {
  if (!known) return told;
  if (told.state === 'checking' && !told.version) {
    return { ...told, version: known.version, epoch: known.epoch };
  }
  const order = (told.epoch ?? 0) - (known.epoch ?? 0) || (told.version ?? 0) - (known.version ?? 0);
  if (order !== 0) return order > 0 ? told : known;
  const moved = (told.state === 'checking') !== (known.state === 'checking');
  const corrects = told.guessed ? told.available !== known.available : known.guessed;
  return moved || corrects ? told : known;
}
