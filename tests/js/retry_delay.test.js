import assert from 'node:assert/strict';
import { test } from 'node:test';

import { retryDelay } from '../../storefront/static/js/retry_delay.js';

test('a wait is never shorter than 200 ms nor longer than 30 s', () => {
  for (const attempt of [0, 1, 5, 50, 2000]) {
    assert.equal(retryDelay(attempt, 0), 200);
    assert.ok(retryDelay(attempt, 0.999) < 30_000);
  }
});

test('while it may be a restart nobody waits for more than 4 s', () => {
  assert.equal(Math.max(...Array.from({ length: 15 }, (_, attempt) => retryDelay(attempt, 1))), 4_000);
  assert.equal(retryDelay(15, 1), 30_000);
});

test('the range doubles with each attempt', () => {
  assert.deepEqual([0, 1, 2].map((attempt) => retryDelay(attempt, 1)), [1_000, 2_000, 4_000]);
});
