"""What the catalogue has to tell."""

from blinker import signal

# Sent inside the transaction that wrote the variants, with session=Session, units={sku: int} (what the
# file says is there; 0 for a new variant without a quantity) and set_stock=bool (True: also where the
# SKU is counted already).
variants_imported = signal("variants-imported")
