const FIRST_MS = 1_000;
const LEAST_MS = 200;
const MOST_MS = 4_000; // a restart takes seconds, and every page should be right 5 s after it
const PATIENT = 15; // tries; then it is no restart,
const MOST_LATER_MS = 30_000;

/**
 * How long to wait before try number `attempt` (0 is the first), in milliseconds.
 *
 * Full jitter with bounds, so that the shoppers of a restarted server do not all come back at once
 * ("Exponential Backoff And Jitter", AWS Architecture Blog). random: a number from 0 to below 1.
 */
export function retryDelay(attempt, random = Math.random()) {
  const ceiling = Math.min(attempt < PATIENT ? MOST_MS : MOST_LATER_MS, FIRST_MS * 2 ** attempt);
  return LEAST_MS + random * (ceiling - LEAST_MS);
}
