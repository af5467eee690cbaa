"""Stock: how many units there are, who holds them, and the proof of both."""
