import { untilWords } from './sale_words.js';

/**
 * Counts down to the opening of a sale by the server's measure.
 *
 * root: holds the [data-sale-opening] elements. Gives {set(milliseconds)}, to be told of each newer measure.
 */
export function openingClock(root) {
  let opensAt = 0;
  let timer;

  const tick = () => {
    clearTimeout(timer);
    const left = opensAt - performance.now();
    const words = untilWords(left);
    root.querySelectorAll('[data-sale-opening]').forEach((clock) => {
      if (clock.textContent !== words) clock.textContent = words;
    });
    if (left > 0) timer = setTimeout(tick, left % 1000 || 1000);
  };

  const set = (milliseconds) => {
    opensAt = performance.now() + milliseconds;
    tick();
  };

  return { set };
}
