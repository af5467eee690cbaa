import assert from 'node:assert/strict';
import { test } from 'node:test';

import { countdownWords } from '../../storefront/static/js/countdown_words.js';

test('time left reads as minutes and seconds, rounded up', () => {
  assert.equal(countdownWords(600_000), '10:00');
  assert.equal(countdownWords(599_001), '10:00');
  assert.equal(countdownWords(61_000), '01:01');
  assert.equal(countdownWords(1), '00:01');
});

test('over is 00:00, and stays so', () => {
  assert.equal(countdownWords(0), '00:00');
  assert.equal(countdownWords(-5_000), '00:00');
});

test('more than an hour still counts in minutes', () => {
  assert.equal(countdownWords(3_661_000), '61:01');
});
