import assert from 'node:assert/strict';
import { test } from 'node:test';

import { slices } from '../../storefront/static/js/slices.js';

const skus = (count, length) => Array.from({ length: count }, (_, number) => String(number).padStart(length, 'A'));

test('a usual page is one slice, an empty one none', () => {
  assert.deepEqual(slices(['A', 'B']), [['A', 'B']]);
  assert.deepEqual(slices([]), []);
});

test('no slice has more than 150 SKUs, and none is lost', () => {
  const cut = slices(skus(400, 4));

  assert.deepEqual(cut.map((slice) => slice.length), [150, 150, 100]);
  assert.deepEqual(cut.flat(), skus(400, 4));
});

test('long SKUs make shorter slices', () => {
  const cut = slices(skus(150, 100));

  assert.ok(cut.length > 1);
  assert.ok(cut.every((slice) => slice.join('&sku=').length < 6_000));
});
