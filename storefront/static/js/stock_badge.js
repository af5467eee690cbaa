import { badgeWords } from './badge_words.js';
import { combinedLevel } from './combined_level.js';

const levelIn = ({ sku, available, version, epoch, state }) => ({
  sku,
  available: Number(available),
  version: Number(version),
  epoch: Number(epoch),
  state,
});

/**
 * Keeps one server-rendered stock badge true.
 *
 * element: a [data-stock]; feed: live levels; cart: what the shopper holds; announce(words), optional, hears when
 * another state begins. Gives {follow(sku)}, which makes the badge speak for another SKU.
 */
export function stockBadge(element, feed, cart, announce = () => undefined) {
  const words = element.querySelector('[data-stock-words]');
  const beside = element.querySelector('[data-stock-held]');
  let skus = JSON.parse(element.dataset.skus);
  let stop;

  const show = (pulse) => {
    const level = combinedLevel(skus.map(feed.level));
    const held = skus.reduce((sum, sku) => sum + cart.unitsOf(sku), 0);
    const known = level ?? { state: element.dataset.state, available: null };
    const told = badgeWords(known, held);
    element.dataset.held = held;
    beside.textContent = told.held;
    beside.hidden = !told.held;
    if (!level) return;
    Object.assign(element.dataset, { version: level.version, epoch: level.epoch, available: level.available ?? '' });
    if (words.textContent === told.words) return;
    if (pulse && element.dataset.state !== told.state) announce(told.words);
    element.dataset.state = told.state;
    words.textContent = told.words;
    if (pulse) restartPulse(element);
  };

  const changed = () => show(true);
  const follow = (sku) => {
    stop?.();
    skus = [sku];
    element.dataset.sku = sku;
    element.dataset.skus = JSON.stringify(skus);
    stop = feed.watch(skus, changed);
    show(false);
  };

  if (skus.length === 1 && element.dataset.available) feed.offer(ownLevel(element));
  element.addEventListener('animationend', () => element.removeAttribute('data-changed'));
  cart.subscribe(changed);
  stop = feed.watch(skus, changed);
  return { follow };
}

/** The level a badge was rendered with; "low" may be the words for an own last one, whose level is sold out. */
function ownLevel({ dataset }) {
  const level = levelIn(dataset);
  return level.available === 0 ? { ...level, state: 'sold_out' } : level;
}

function restartPulse(element) {
  element.removeAttribute('data-changed');
  void element.offsetWidth; // lets the same animation begin again
  element.setAttribute('data-changed', '');
}
