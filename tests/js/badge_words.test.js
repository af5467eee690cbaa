import assert from 'node:assert/strict';
import { test } from 'node:test';

import { badgeWords } from '../../storefront/static/js/badge_words.js';

test('each state has words of its own', () => {
  assert.equal(badgeWords({ state: 'in_stock', available: 40 }, 0).words, 'In stock');
  assert.equal(badgeWords({ state: 'low', available: 2 }, 0).words, 'Only 2 left!');
  assert.equal(badgeWords({ state: 'sold_out', available: 0 }, 0).words, 'Sold out');
  assert.equal(badgeWords({ state: 'checking', available: null }, 0).words, 'Checking stock…');
});

test('what the shopper holds stands beside the words', () => {
  assert.deepEqual(badgeWords({ state: 'low', available: 2 }, 1), { state: 'low', words: 'Only 2 left!', held: '1 in your cart' });
  assert.equal(badgeWords({ state: 'checking', available: null }, 3).held, '3 in your cart');
});

test('an own hold never makes the own item look sold out', () => {
  const one = badgeWords({ state: 'sold_out', available: 0 }, 1);
  const three = badgeWords({ state: 'sold_out', available: 0 }, 3);

  assert.deepEqual(one, { state: 'low', words: 'The last one is in your cart', held: '' });
  assert.equal(three.words, 'The last 3 are in your cart');
});
