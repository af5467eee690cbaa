import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';

import * as words from '../../storefront/static/js/sale_words.js';

const table = JSON.parse(readFileSync(new URL('./sale_words.json', import.meta.url)));

for (const [name, cases] of Object.entries(table)) {
  test(`${name} says what the server says`, () => {
    for (const [given, expected] of cases) assert.equal(words[name](...given), expected, JSON.stringify(given));
  });
}

test('a longer wait is explained, a shorter or slightly longer one is not', () => {
  assert.match(words.slowerWords([60, 120], [120, 400]), /fewer people were let in/);
  assert.equal(words.slowerWords([60, 120], [70, 150]), '');
  assert.equal(words.slowerWords([60, 400], [60, 120]), '');
  assert.equal(words.slowerWords(null, [60, 120]), '');
  assert.equal(words.slowerWords([60, 120], null), '');
});
