// What the page of a sale says. waiting_room/pages/wording.py says the same; tests/js/sale_words.json holds both to it.

const MINUTE = 60;
const HOUR = 3_600;
const DAY = 86_400;

const REASONS = {
  paused: 'The sale is paused. Your place is kept.',
  checking_stock: 'We are counting the stock, and let nobody in meanwhile. Your place is kept.',
  checking_queue: 'We are checking the queue. Your place is kept, and shows again in a few seconds.',
  coming_back: 'There was an interruption. People are coming back to their places; it goes on in a few seconds.',
};

const number = (value) => value.toLocaleString('en-US');
const pad = (value) => String(value).padStart(2, '0');

/** Which view of a sale somebody sees. placeState: null for somebody who was never here. */
export function viewOf(saleState, placeState) {
  if (saleState === 'closed') return 'closed';
  if (placeState === 'admitted') return 'admitted';
  if (placeState === 'waiting' || placeState === 'sold_out') return saleState === 'sold_out' ? 'sold_out' : 'waiting';
  if (placeState) return 'ended';
  return ['open', 'paused', 'sold_out'].includes(saleState) ? 'join' : saleState;
}

/** 1st, 2nd, 3rd, 4th, … 11th, … 1,021st. */
export function ordinal(value) {
  const teen = [11, 12, 13].includes(value % 100);
  return number(value) + (teen ? 'th' : { 1: 'st', 2: 'nd', 3: 'rd' }[value % 10] ?? 'th');
}

export function aheadWords(ahead) {
  if (ahead === 0) return 'Nobody is before you: you are next.';
  return ahead === 1 ? '1 person is before you.' : `${number(ahead)} people are before you.`;
}

/** A range of seconds, [low, high] or null, as people say it; the lower end rounded down, the upper one up. */
export function etaWords(etaSeconds) {
  if (!etaSeconds) return 'Nobody can tell just now';
  const [low, high] = etaSeconds;
  if (high <= MINUTE) return 'Less than a minute';
  if (low >= DAY) return 'More than a day';
  const [unit, name] = high <= 2 * HOUR ? [MINUTE, 'minutes'] : [HOUR, 'hours'];
  const least = Math.floor(low / unit);
  const most = Math.ceil(high / unit);
  if (least === 0) return `Up to ${most} ${name}`;
  return least === most ? `About ${most} ${name}` : `About ${least}–${most} ${name}`;
}

/** How likely it is to get something, with the figures that it comes from; "" where nobody can tell. */
export function chanceWords(chance, available, held, ahead) {
  if (!chance || available === null || ahead === null) return '';
  if (chance === 'none') return 'Nothing is left.';
  if (available === 0) {
    return `None left, but ${number(held ?? 0)} in the carts of others: what is not bought comes back to this line.`;
  }
  const figures = `${number(available)} left, ${number(ahead)} before you`;
  if (chance === 'likely') return `${figures}: it should be enough for you.`;
  if (chance === 'possible') return `${figures}: possible, if not everybody takes as much as he may.`;
  if (available > ahead) {
    return `${number(available)} left, but those who are in just now may still take them: unlikely.`;
  }
  return `${figures}: unlikely that it reaches you.`;
}

/** Why nobody is let in at the moment; "" where people are, or the page says so anyhow. */
export function reasonWords(reason) {
  return REASONS[reason] ?? '';
}

/** Why somebody is farther back than before. */
export function riseWords(more) {
  return `${more === 1 ? '1 person' : `${number(more)} people`} ahead of you came back after an interruption.`;
}

/** Why it takes longer than was said before; "" where it does not. told and now: ranges in seconds, or null. */
export function slowerWords(told, now) {
  if (!told || !now || now[1] <= told[1] * 1.25 + MINUTE) return '';
  return 'Longer than it looked: fewer people were let in during the last minute.';
}

/** The time until something begins: 2 d 3 h, 3:12:05 or 12:05; rounded up, so that 00:00 means now. */
export function untilWords(milliseconds) {
  const seconds = Math.max(0, Math.ceil(milliseconds / 1000));
  const [days, hours] = [Math.floor(seconds / DAY), Math.floor((seconds % DAY) / HOUR)];
  if (days) return `${days} d ${hours} h`;
  const clock = `${pad(Math.floor((seconds % HOUR) / MINUTE))}:${pad(seconds % MINUTE)}`;
  return hours ? `${hours}:${clock}` : clock;
}

/** What stands first in the title of the window, which is all that a hidden tab shows. */
export function titleWords(view, position) {
  if (view === 'admitted') return 'Your turn!';
  if (view === 'waiting') return position ? `${ordinal(position)} in line` : 'You are in';
  return { sold_out: 'Sold out', ended: 'Not in line', closed: 'Over' }[view] ?? 'Waiting room';
}
