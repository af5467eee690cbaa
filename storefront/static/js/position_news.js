const LEAST_MS = 20_000; // between two announcements
const MOST_MS = 120_000; // then any change is news
const COUNTED_OUT = 5; // the last ones before one's turn

/** Round steps get smaller on the way: 1,000s while in the thousands, then 100s, then 10s. */
const stepOf = (position) => 10 ** Math.max(1, String(position).length - 1);

/**
 * Whether a screen reader shall be told of a position: never two in a hurry, only milestones, else now and then.
 *
 * told: the position that was announced last; milliseconds: since then.
 */
export function isNews(told, position, milliseconds) {
  if (position === told || milliseconds < LEAST_MS) return false;
  if (position > told || position <= COUNTED_OUT || milliseconds >= MOST_MS) return true;
  const step = stepOf(told);
  return Math.ceil(position / step) < Math.ceil(told / step);
}
