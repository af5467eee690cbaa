const CHANNEL = 'stockbeat-cart';

/**
 * What this shopper's cart holds, the same in all tabs.
 *
 * root: the document; its stock badges and cart count say what the server knew. Gives {unitsOf(sku), itemOf(sku),
 * items(), expect(sku, units), put(sku, units), refresh() -> whether the shop answered, subscribe(listener)}; an item
 * is {units, endsAt}, endsAt in milliseconds on the clock of performance.now(). expect() is this page's hope while an
 * answer is out; put() and refresh() are facts, and other tabs hear of them by BroadcastChannel.
 */
export function sharedCart(root) {
  const channel = 'BroadcastChannel' in globalThis ? new BroadcastChannel(CHANNEL) : null;
  const listeners = new Set();
  let held = new Map();
  let items = null; // with their deadlines; null until the API was asked
  let count = Number(root.querySelector('[data-cart-count]')?.textContent) || 0;

  root.querySelectorAll('[data-holds]').forEach((badge) => {
    Object.entries(JSON.parse(badge.dataset.holds)).forEach(([sku, units]) => held.set(sku, units));
  });

  const show = () => {
    root.querySelectorAll('[data-cart-count]').forEach((element) => {
      element.textContent = count;
      element.toggleAttribute('data-empty', count === 0);
    });
    listeners.forEach((listener) => listener());
  };

  const expect = (sku, units) => {
    count = Math.max(0, count + units - (held.get(sku) ?? 0));
    held.set(sku, units);
    show();
  };

  const put = (sku, units) => {
    expect(sku, units);
    channel?.postMessage({ sku, units, count });
  };

  // told: [[SKU, units, milliseconds left], …], the whole cart
  const adopt = (told) => {
    const now = performance.now();
    items = new Map(told.map(([sku, units, left]) => [sku, { units, endsAt: now + left }]));
    held = new Map(told.map(([sku, units]) => [sku, units]));
    count = told.reduce((sum, [, units]) => sum + units, 0);
    show();
  };

  const refresh = async () => {
    try {
      const response = await fetch('/api/v1/cart', { credentials: 'same-origin', cache: 'no-store' });
      if (!response.ok) return false;
      const answer = await response.json();
      const alive = answer.items.filter((item) => item.expires_in_ms > 0);
      const told = alive.map((item) => [item.sku, item.quantity, item.expires_in_ms]);
      adopt(told);
      channel?.postMessage({ all: told });
      return true;
    } catch {
      return false; // offline: the page keeps what it knows
    }
  };

  channel?.addEventListener('message', ({ data }) => {
    if (data.all) return adopt(data.all);
    held.set(data.sku, data.units);
    count = data.count;
    show();
  });

  return {
    unitsOf: (sku) => held.get(sku) ?? 0,
    itemOf: (sku) => items?.get(sku),
    items: () => items,
    expect,
    put,
    refresh,
    subscribe: (listener) => listeners.add(listener),
  };
}
