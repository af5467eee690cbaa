"""The waiting list of a sale: who is written to when it has units again."""
