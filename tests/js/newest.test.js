import assert from 'node:assert/strict';
import { test } from 'node:test';

import { newest } from '../../storefront/static/js/newest.js';

const level = (facts) => ({ sku: 'MUG', available: 3, version: 7, epoch: 1, state: 'low', ...facts });

test('the first level of a SKU is kept', () => {
  assert.equal(newest(undefined, level()).version, 7);
});

test('a higher version replaces a lower one', () => {
  const told = level({ version: 8 });

  assert.equal(newest(level(), told), told);
});

test('a lower or repeated version is dropped', () => {
  const known = level();

  assert.equal(newest(known, level({ version: 6, available: 9 })), known);
  assert.equal(newest(known, level({ available: 9 })), known);
});

test('a push of an earlier epoch is dropped whatever its version', () => {
  const known = level({ epoch: 2 });

  assert.equal(newest(known, level({ epoch: 1, version: 99 })), known);
});

test('a later epoch wins', () => {
  const told = level({ epoch: 2, version: 8 });

  assert.equal(newest(level({ version: 7 }), told), told);
});

test('the gate may close and open within one version', () => {
  const checking = level({ state: 'checking', available: null });

  assert.equal(newest(level(), checking), checking);
  assert.equal(newest(checking, level()).state, 'low');
});

test('checking without a version keeps the order that was reached', () => {
  const kept = newest(level(), { sku: 'MUG', available: null, version: 0, epoch: 0, state: 'checking' });

  assert.deepEqual([kept.state, kept.version, kept.epoch], ['checking', 7, 1]);
  assert.equal(newest(kept, level({ version: 6 })), kept);
});

test('a guess corrects the count and gives way to what is told for the same version', () => {
  const guess = level({ available: 0, state: 'sold_out', guessed: true });

  assert.equal(newest(level(), guess), guess);
  assert.equal(newest(guess, level({ available: 0, state: 'sold_out' })).guessed, undefined);
  assert.equal(newest(level(), level({ state: 'in_stock', guessed: true })).state, 'low');
});

test('any order of arrival ends with the newest', () => {
  const pushes = [9, 4, 12, 7, 12, 11].map((version) => level({ version, available: version }));

  assert.equal(pushes.reduce(newest, undefined).version, 12);
});
