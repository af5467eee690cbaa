"""What has happened to orders, as signals sent within the transaction that made it so."""

from blinker import Signal

order_placed = Signal("An order was placed: session, order, now_ms.")
order_cancelled = Signal("An order was cancelled: session, order, now_ms. True: its units must not come back yet.")
