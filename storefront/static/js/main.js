import { addToCart } from './add_to_cart.js';
import { cartPage } from './cart_page.js';
import { holdCountdown } from './hold_countdown.js';
import { imageFallback } from './image_fallback.js';
import { liveFeed } from './live_feed.js';
import { localTime } from './local_time.js';
import { salePage } from './sale_page.js';
import { sharedCart } from './shared_cart.js';
import { stockBadge } from './stock_badge.js';
import { submitOnce } from './submit_once.js';
import { variantPicker } from './variant_picker.js';

const feed = liveFeed(document.documentElement);
const cart = sharedCart(document);
const all = (selector) => [...document.querySelectorAll(selector)];

function wireProduct(product) {
  const news = product.querySelector('[data-stock-news]');
  const name = product.querySelector('h1').textContent;
  const badge = stockBadge(product.querySelector('[data-stock]'), feed, cart, (words) => {
    news.textContent = `${name}: ${words}`;
  });
  const form = addToCart(product.querySelector('[data-hold-form]'), feed, cart);
  variantPicker(product, feed, badge, form);
}

function showEndOfHold({ target }) {
  if (!target.closest('[data-hold-clock]')) return;
  target.closest('[data-hold-clock]').hidden = true;
  all('[data-hold-over]').forEach((notice) => { notice.hidden = false; });
}

document.addEventListener('holdended', showEndOfHold);

function wire(part) {
  const inPart = (selector) => [...part.querySelectorAll(selector)];
  inPart('[data-picture]').forEach(imageFallback);
  inPart('[data-local-time]').forEach(localTime);
  inPart('[data-submit-once]').forEach(submitOnce);
  inPart('[data-product]').forEach(wireProduct);
  const badges = inPart('[data-stock]').filter((badge) => !badge.closest('[data-product]'));
  badges.forEach((badge) => stockBadge(badge, feed, cart));
}

wire(document);
all('[data-sale]').forEach((sale) => salePage(sale, feed, cart, wire));
const page = document.querySelector('[data-line]') ? cartPage(document, cart) : null;
all('[data-countdown]').forEach((countdown) => holdCountdown(countdown, cart));

// A form on this page may just have changed the cart: other tabs shall know.
if (document.body.hasAttribute('data-cart-changed')) cart.refresh();

async function comeBack() {
  const asked = await cart.refresh();
  if (asked && page?.differs()) location.reload();
}

// The clock of a page may stand still while the device sleeps: ask for the true time left.
document.addEventListener('visibilitychange', () => {
  if (!document.hidden && document.querySelector('[data-countdown]')) comeBack();
});
addEventListener('pagehide', feed.pause);
addEventListener('pageshow', (event) => {
  const [visit] = performance.getEntriesByType('navigation');
  if (event.persisted) feed.resume();
  if (event.persisted || visit?.type === 'back_forward') comeBack();
});
