"""A plain little back office, for the demo shop and the tests: it reads order files, and knows nothing of the shop."""
