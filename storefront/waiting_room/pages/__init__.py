"""The waiting room as a shopper meets it: its pages and their words."""
