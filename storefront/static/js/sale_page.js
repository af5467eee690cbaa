import { holdCountdown } from './hold_countdown.js';
import { openingClock } from './opening_clock.js';
import { isNews } from './position_news.js';
import { retryDelay } from './retry_delay.js';
import {
  aheadWords, chanceWords, etaWords, ordinal, reasonWords, riseWords, slowerWords, titleWords, viewOf,
} from './sale_words.js';

const OVER_MS = 1_000; // the server may see the end of a pass a moment later than the page
const SPEAK_MS = 1_000; // words that come with the page are not read out
const COOKIE_SECONDS = 7 * 86_400;

/**
 * Keeps the page of a sale true: the place while somebody waits, and which view of the sale he sees.
 *
 * What many go through at the same moment (opened, paused, sold out, closed) is in the page and is only shown or
 * hidden; what somebody goes through alone (his turn, the end of it) is read from the server, which thereby knows
 * that he is here. element: a [data-sale]; feed: news of sales; cart: what the shopper holds; wire(part) brings the
 * server's markup to life.
 */
export function salePage(element, feed, cart, wire) {
  const slug = element.dataset.sale;
  const find = (name) => element.querySelector(`[data-sale-${name}]`);
  const body = find('body');
  const clock = openingClock(element);
  let { sale, place } = JSON.parse(element.dataset.told);
  let start = Number(element.dataset.start);
  let reason = sale.reason;
  let announced = { position: place?.position, at: performance.now() };
  let reading = false;

  const say = (name, words) => {
    const region = find(name);
    if (region.textContent !== words) region.textContent = words;
  };

  const put = (name, words) => {
    const target = find(name);
    target.hidden = !words;
    if (target.textContent !== words) target.textContent = words;
  };

  // --- what is shown

  const show = (name) => (each) => {
    each.hidden = !each.dataset[name].split(' ').includes(name === 'saleWhen' ? element.dataset.view : sale.state);
  };

  const showView = (view) => {
    if (view !== element.dataset.view) say('alert', view === 'sold_out' ? 'Sold out, for now. Your place is kept.' : '');
    element.dataset.view = view;
    element.querySelectorAll('[data-sale-when]').forEach(show('saleWhen'));
    element.querySelectorAll('[data-sale-state]').forEach(show('saleState'));
    document.title = `${titleWords(view, place?.position)} · ${element.dataset.title}`;
  };

  const showSale = () => {
    put('message', sale.message);
    put('reason', reasonWords(reason));
    find('waiting-words').textContent = waitingWords(sale.waiting);
    find('held').textContent = heldWords(sale.held);
  };

  const showPlace = () => {
    const { position } = place;
    find('place').hidden = !position;
    find('facts').hidden = !position;
    find('undrawn').hidden = Boolean(position);
    if (!position) return;
    const number = find('ordinal');
    if (number.textContent !== ordinal(position)) restart(number, ordinal(position));
    put('ahead', aheadWords(place.ahead));
    find('eta').textContent = etaWords(place.eta_seconds);
    const chance = chanceWords(place.chance, sale.available, sale.held, place.ahead);
    find('chance').textContent = chance;
    find('chance-row').hidden = !chance;
    Object.assign(find('bar'), { max: start, value: Math.max(0, start - position) });
    find('start').textContent = `You began as ${ordinal(start)}`;
  };

  const render = () => {
    const view = viewOf(sale.state, place?.state ?? null);
    showSale();
    if (['admitted', 'ended'].includes(view)) return meet(view);
    showView(view);
    if (place) showPlace();
  };

  // --- one's turn, and what comes of it

  const turn = () => find('turn')?.dataset.saleTurn;

  const meet = (view) => {
    if (view === element.dataset.view && (turn() === undefined || turn() === place.pass_expires_at)) return;
    if (view === 'admitted' && element.dataset.view !== 'admitted') say('alert', 'It is your turn.');
    document.title = `${titleWords(view)} · ${element.dataset.title}`;
    if (!document.hidden || view !== 'admitted') readView(); // else he has not shown up yet
  };

  const readView = async (attempt = 0) => {
    if (reading) return;
    reading = true;
    const page = await readPage();
    reading = false;
    if (!page) return void setTimeout(readView, retryDelay(attempt), attempt + 1);
    const fresh = page.querySelector('[data-sale]');
    const hadFocus = body.contains(document.activeElement);
    body.replaceChildren(...fresh.querySelector('[data-sale-body]').childNodes);
    if (hadFocus) body.querySelector('h2[tabindex]')?.focus();
    Object.assign(element.dataset, fresh.dataset);
    ({ sale, place } = JSON.parse(element.dataset.told));
    start = Number(element.dataset.start);
    document.title = page.title;
    wire(body);
    wireClocks();
    render();
  };

  const wireClocks = () => body.querySelectorAll('[data-countdown]').forEach((countdown) => {
    countdown.dataset.answeredAt ??= performance.now();
    holdCountdown(countdown, cart);
  });

  // --- what is heard

  const hear = {
    sale(told) {
      reason = told.reason;
      if (!told.state) return; // the queue cannot be asked; what was known stays
      sale = told;
      clock.set(sale.opens_in_ms);
    },
    place(told) {
      noteRise(told);
      noteDelay(told);
      if (told.position && !place?.position) start = 0;
      place = told;
      sale = { ...sale, state: told.sale_state };
      reason = told.reason;
      if (told.position) remember(told.position);
      tellPosition();
    },
    admitted() {
      if (element.dataset.view !== 'admitted') say('alert', 'It is your turn.');
    },
  };

  const noteRise = (told) => {
    const more = told.position && place?.position ? told.position - place.position : 0;
    if (more !== 0) put('rise', more > 0 ? riseWords(more) : '');
  };

  const noteDelay = (told) => {
    const words = slowerWords(place?.eta_seconds, told.eta_seconds);
    if (words || told.position !== place?.position) put('slower', words);
  };

  const remember = (position) => {
    start = Math.max(start, position);
    const path = `path=/sales/${slug}; max-age=${COOKIE_SECONDS}; samesite=lax`;
    document.cookie = `line_${slug}=${start}.${position}; ${path}`;
  };

  const tellPosition = () => {
    const { position } = place;
    const now = performance.now();
    if (!position || !isNews(announced.position ?? position + 1, position, now - announced.at)) return;
    announced = { position, at: now };
    const why = find('rise').textContent;
    say('news', `You are ${ordinal(position)} in line. ${etaWords(place.eta_seconds)}. ${why}`.trim());
  };

  element.addEventListener('holdended', () => setTimeout(readView, OVER_MS));
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden) render();
  });
  clock.set(sale.opens_in_ms);
  if (element.dataset.view === 'admitted') setTimeout(say, SPEAK_MS, 'alert', 'It is your turn.');
  feed.watchSale(slug, (event, told) => {
    hear[event](told);
    render();
  });
}

async function readPage() {
  const response = await fetch(location.href, { credentials: 'same-origin', cache: 'no-store' }).catch(() => null);
  if (!response?.ok) return null;
  return new DOMParser().parseFromString(await response.text(), 'text/html');
}

const waitingWords = (waiting) => {
  if (!waiting) return 'Nobody is waiting at the moment.';
  return waiting === 1 ? '1 person is waiting.' : `${waiting.toLocaleString('en-US')} people are waiting.`;
};

const heldWords = (held) => {
  if (!held) return 'If units come back, they go to this line, in its order.';
  const units = held === 1 ? '1 unit is' : `${held.toLocaleString('en-US')} units are`;
  return `${units} in carts; what is not bought comes back to this line, in its order.`;
};

function restart(number, words) {
  number.textContent = words;
  number.removeAttribute('data-changed');
  void number.offsetWidth; // lets the same animation begin again
  number.setAttribute('data-changed', '');
}
