import assert from 'node:assert/strict';
import test from 'node:test';

import { isNews } from '../../storefront/static/js/position_news.js';

test('nothing is announced twice or in a hurry', () => {
  assert.equal(isNews(42, 42, 600_000), false);
  assert.equal(isNews(42, 2, 19_999), false);
});

test('a milestone is announced', () => {
  assert.equal(isNews(42, 40, 20_000), true);
  assert.equal(isNews(42, 41, 20_000), false);
  assert.equal(isNews(420, 401, 20_000), false);
  assert.equal(isNews(420, 400, 20_000), true);
  assert.equal(isNews(12_345, 12_001, 20_000), false);
  assert.equal(isNews(12_345, 9_999, 20_000), true);
});

test('the last ones before the turn are counted out', () => {
  assert.equal(isNews(7, 6, 20_000), false);
  assert.equal(isNews(6, 5, 20_000), true);
  assert.equal(isNews(2, 1, 20_000), true);
});

test('any change is news after two minutes, and being farther back is at once', () => {
  assert.equal(isNews(4_200, 4_199, 120_000), true);
  assert.equal(isNews(42, 43, 20_000), true);
});

test('an hour in line is a handful of announcements, not a thousand', () => {
  let [told, since, times] = [1_000, 0, 0];
  for (let position = 1_000; position > 0; position -= 1) {
    since += 3_600; // ms: it moves up every 3.6 s
    if (!isNews(told, position, since)) continue;
    [told, since] = [position, 0];
    times += 1;
  }
  assert.ok(times > 5 && times < 60, String(times));
});
