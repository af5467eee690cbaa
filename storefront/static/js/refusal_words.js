const WORDS = {
  sold_out: () => 'Sorry, someone was faster: this is sold out now. Your cart was not changed.',
  insufficient_stock: ({ available }) =>
    available > 0 ? `Only ${available} left. Your cart was not changed.` : WORDS.sold_out(),
  pass_required: ({ detail }) => detail || 'This is sold through a waiting room. Take your place in the line first.',
  unknown_sku: () => 'This item is no longer in the shop.',
  invalid_quantity: () => 'Please choose a quantity of 1 or more.',
};

/**
 * Why the shop said no, in words for the shopper: from a problem document {code, status, title, detail, available}.
 *
 * Codes without words of their own are told in the server's.
 */
export function refusalWords(problem) {
  const say = WORDS[problem.code];
  if (say) return say(problem);
  if (problem.status === 503) return 'Stock is being checked right now. Please try again in a moment.';
  if (problem.status === 429) return 'That was a lot of clicks. Please wait a moment and try again.';
  return problem.detail || problem.title || 'That did not work. Please try again.';
}
