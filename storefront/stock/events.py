"""What has happened in the stock, as signals sent within the transaction that made it so."""

from blinker import Signal

shortfall_raised = Signal("More units of a SKU are committed than are there: session, sku, units, cause, now_ms.")
