"""The waiting room: the fair queue before a sale, and the pass of those who were let in."""
