"""What the live lines of this process have refused or cut, by its code; shown on the ops page."""

from collections import Counter

counts: Counter[str] = Counter()
