import { countdownWords } from './countdown_words.js';

const WARNING_MS = 60_000;

/** When the answer with this element came, on the clock of performance.now(): what the server said holds from there. */
const answeredAt = ({ dataset }) =>
  Number(dataset.answeredAt) || (performance.getEntriesByType('navigation')[0]?.responseStart ?? 0);

/**
 * Counts a hold down by the server's measure, never by the clock of the device.
 *
 * element: a [data-countdown] with data-expires-in-ms and perhaps data-sku, and data-answered-at where it came later
 * than the page; cart: tells of a hold that was extended
 * elsewhere. It fires "holdended" and "holdrenewed" (both bubble). Screen readers hear one polite warning.
 */
export function holdCountdown(element, cart) {
  const clock = element.querySelector('[data-countdown-clock]');
  const warning = element.querySelector('[data-countdown-warning]');
  let endsAt = answeredAt(element) + Number(element.dataset.expiresInMs);
  let over = false;
  let timer;

  const tell = (name) => element.dispatchEvent(new CustomEvent(name, { bubbles: true }));

  const turn = (now) => {
    if (now === over) return;
    over = now;
    tell(over ? 'holdended' : 'holdrenewed');
  };

  const warn = (left) => {
    const hurry = left > 0 && left <= WARNING_MS;
    if (hurry === element.hasAttribute('data-hurry')) return;
    element.toggleAttribute('data-hurry', hurry);
    warning.textContent = hurry ? warning.dataset.words : '';
  };

  const tick = () => {
    clearTimeout(timer);
    const left = endsAt - performance.now();
    const words = countdownWords(left);
    if (clock.textContent !== words) clock.textContent = words;
    warn(left);
    turn(left <= 0);
    if (left > 0) timer = setTimeout(tick, left % 1000 || 1000);
  };

  cart.subscribe(() => {
    if (!cart.items() || !element.dataset.sku) return;
    endsAt = cart.itemOf(element.dataset.sku)?.endsAt ?? 0;
    tick();
  });
  tick();
}
