const SETTLE_MS = 700; // the server may see the end of a hold a moment later than the page

/**
 * Keeps the lines and the summary of the cart page true while holds end, are renewed, or change in another tab.
 *
 * root: the document; cart: what the shopper holds. The summary is always the server's own markup, read again.
 */
export function cartPage(root, cart) {
  const lines = [...root.querySelectorAll('[data-line]')];
  let waiting;

  const readSummary = async () => {
    const response = await fetch(location.href, { credentials: 'same-origin', cache: 'no-store' }).catch(() => null);
    if (!response?.ok) return;
    const page = new DOMParser().parseFromString(await response.text(), 'text/html');
    const fresh = page.querySelector('[data-cart-summary]');
    if (fresh) root.querySelector('[data-cart-summary]').replaceChildren(...fresh.childNodes);
  };

  const settle = () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => cart.refresh().then(readSummary), SETTLE_MS);
  };

  const mark = (state) => ({ target }) => {
    const line = target.closest('[data-line]');
    if (!line || line.dataset.state === state) return;
    line.dataset.state = state;
    settle();
  };

  const differs = () => lines.some(({ dataset: { sku, state, units } }) => {
    const item = cart.itemOf(sku);
    return item ? item.units !== Number(units) : state === 'held';
  }) || [...cart.items().keys()].some((sku) => !lines.some((line) => line.dataset.sku === sku));

  root.addEventListener('holdended', mark('expired'));
  root.addEventListener('holdrenewed', mark('held'));
  return { differs };
}
