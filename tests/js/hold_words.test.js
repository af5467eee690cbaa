import assert from 'node:assert/strict';
import { test } from 'node:test';

import { holdButtonWords } from '../../storefront/static/js/hold_button_words.js';
import { refusalWords } from '../../storefront/static/js/refusal_words.js';

test('the button can be pressed unless nothing is left', () => {
  assert.deepEqual(holdButtonWords({ state: 'in_stock' }, 0), { words: 'Add to cart', disabled: false });
  assert.deepEqual(holdButtonWords({ state: 'low' }, 1), { words: 'Add another', disabled: false });
  assert.deepEqual(holdButtonWords(undefined, 0), { words: 'Add to cart', disabled: false });
});

test('sold out to others is "no more left" for the one who holds the last', () => {
  assert.deepEqual(holdButtonWords({ state: 'sold_out' }, 0), { words: 'Sold out', disabled: true });
  assert.deepEqual(holdButtonWords({ state: 'sold_out' }, 1), { words: 'No more left', disabled: true });
});

test('a refusal tells how many are left', () => {
  assert.match(refusalWords({ code: 'insufficient_stock', available: 2 }), /^Only 2 left/);
  assert.match(refusalWords({ code: 'insufficient_stock', available: 0 }), /sold out/);
});

test('a code without words of its own is told in the server\'s', () => {
  assert.equal(refusalWords({ code: 'limit_reached', detail: 'At most 4 per shopper.' }), 'At most 4 per shopper.');
  assert.match(refusalWords({ status: 503, detail: 'gate closed' }), /being checked/);
  assert.match(refusalWords({}), /try again/);
});
