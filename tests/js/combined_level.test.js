import assert from 'node:assert/strict';
import { test } from 'node:test';

import { combinedLevel } from '../../storefront/static/js/combined_level.js';

const level = (available, state, version = 1) => ({ available, state, version, epoch: 1 });

test('one level stays what it is', () => {
  assert.deepEqual(combinedLevel([level(2, 'low', 5)]), level(2, 'low', 5));
});

test('one sold out variant does not sell out the product', () => {
  assert.deepEqual(combinedLevel([level(0, 'sold_out', 9), level(3, 'low', 4)]), level(3, 'low', 9));
});

test('all variants sold out is sold out, one in plenty is in stock', () => {
  assert.equal(combinedLevel([level(0, 'sold_out'), level(0, 'sold_out')]).state, 'sold_out');
  assert.equal(combinedLevel([level(1, 'low'), level(50, 'in_stock')]).state, 'in_stock');
});

test('nothing is said while a level is missing, and checking while one is checked', () => {
  assert.equal(combinedLevel([level(1, 'low'), undefined]), undefined);
  assert.equal(combinedLevel([level(1, 'low'), level(null, 'checking')]).state, 'checking');
});
