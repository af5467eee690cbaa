import { newClickId } from './click_id.js';
import { holdButtonWords } from './hold_button_words.js';
import { refusalWords } from './refusal_words.js';

const ANSWER_MS = 10_000;
const SETTLE_MS = 1_500; // the second half of a double click must not start a new intent
const UNANSWERED = 'The shop did not answer, and this may not be held. Please try again: nothing is held twice.';

/**
 * Makes a hold form answer at once: "Reserved" on the click, taken back with the reason if the shop says no.
 *
 * element: a [data-hold-form], a plain form without this; feed: live levels; cart: what the shopper holds.
 * Gives {choose(sku, sale)}, which points the form at another SKU; sale: slug of the sale that sells it, if any. One click_id belongs to one intent: it is kept
 * while no answer came, so that trying again cannot hold twice, and renewed after each answer.
 */
export function addToCart(element, feed, cart) {
  const button = element.querySelector('[data-hold-button]');
  const note = element.querySelector('[data-hold-note]');
  const alert = element.querySelector('[data-hold-alert]');
  const { sku, quantity, click_id: clickId, seen, back } = element.elements;
  const next = element.querySelector('[data-hold-next]');
  const row = element.querySelector('[data-hold-row]');
  const gate = element.querySelector('[data-hold-sale]');
  let busy = false;
  let stop;

  const show = () => {
    if (busy) return;
    const held = cart.unitsOf(sku.value);
    const { words, disabled } = holdButtonWords(feed.level(sku.value), held);
    seen.value = held;
    next.hidden = held === 0;
    button.textContent = words;
    button.disabled = disabled;
  };

  const say = (place, words) => {
    note.textContent = '';
    alert.textContent = '';
    place.textContent = words;
  };

  const showGate = (sale) => {
    row.hidden = Boolean(sale);
    gate.hidden = !sale;
    if (sale) gate.querySelector('[data-hold-sale-link]').href = `/sales/${encodeURIComponent(sale)}`;
  };

  const begin = (intent) => {
    busy = true;
    cart.expect(intent.sku, intent.seen + intent.quantity);
    say(note, '');
    button.textContent = 'Reserved';
    button.dataset.phase = 'reserved';
    button.setAttribute('aria-disabled', 'true');
  };

  const end = () => {
    busy = false;
    button.removeAttribute('aria-disabled');
    delete button.dataset.phase;
    show();
  };

  const learn = (intent, answer) => {
    const level = levelAfter(intent.sku, answer, feed.level(intent.sku));
    feed.offer(level);
    if (level.guessed) feed.refresh([intent.sku]);
  };

  const granted = (intent, units) => {
    cart.put(intent.sku, units);
    clickId.value = newClickId();
    next.hidden = false;
    say(note, `Reserved for you: ${units} in your cart.`);
    setTimeout(end, SETTLE_MS);
  };

  const refused = (intent, problem) => {
    cart.expect(intent.sku, intent.seen);
    if (problem.status < 500) clickId.value = newClickId();
    if (problem.code === 'pass_required') showGate(problem.sale);
    if (Number.isInteger(problem.available)) learn(intent, problem);
    say(alert, refusalWords(problem));
    end();
  };

  // No answer: perhaps it is held, perhaps not. The cart knows; if it cannot be asked either, the same intent stays.
  const unanswered = async (intent) => {
    cart.expect(intent.sku, intent.seen);
    const asked = await cart.refresh();
    if (asked && cart.unitsOf(intent.sku) >= intent.seen + intent.quantity) {
      return granted(intent, cart.unitsOf(intent.sku));
    }
    say(alert, UNANSWERED);
    end();
  };

  const hold = async () => {
    const intent = {
      sku: sku.value,
      quantity: Number(quantity.value),
      click_id: clickId.value,
      seen: Number(seen.value),
    };
    begin(intent);
    const [response, answer] = await post(intent).catch(() => []);
    if (!response) return unanswered(intent);
    if (!response.ok) return refused(intent, { ...answer, status: response.status });
    granted(intent, answer.quantity);
    learn(intent, answer);
  };

  const choose = (chosen, sale) => {
    stop?.();
    showGate(sale);
    if (sku.value !== chosen) clickId.value = newClickId();
    sku.value = chosen;
    back.value = `${location.pathname}?sku=${encodeURIComponent(chosen)}`;
    stop = feed.watch([chosen], show);
    say(note, '');
    show();
  };

  element.addEventListener('submit', (event) => {
    event.preventDefault();
    if (!busy) hold();
  });
  quantity.addEventListener('change', () => { clickId.value = newClickId(); });
  cart.subscribe(show);
  stop = feed.watch([sku.value], show);
  return { choose };
}

async function post(intent) {
  const response = await fetch('/api/v1/cart/items', {
    method: 'POST',
    credentials: 'same-origin',
    headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
    body: JSON.stringify(intent),
    signal: AbortSignal.timeout(ANSWER_MS),
  });
  return [response, await response.json()];
}

/** The level an answer speaks of. An answer without version or state leaves these to the next push or snapshot. */
function levelAfter(sku, { available, version, epoch, state }, known) {
  if (version && state) return { sku, available, version, epoch: epoch ?? known?.epoch, state };
  const guess = available === 0 ? 'sold_out' : { in_stock: 'in_stock' }[known?.state] ?? 'low';
  return { sku, available, version: version ?? known?.version, epoch: epoch ?? known?.epoch, state: guess, guessed: true };
}
