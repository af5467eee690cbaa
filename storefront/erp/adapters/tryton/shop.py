"""The web shop as Tryton knows it: its company, currency and warehouse."""

from dataclasses import dataclass

from storefront.erp.adapter import ErpAuthFailed
from storefront.erp.adapters.tryton.rpc import Visit


@dataclass(frozen=True)
class WebShop:
    """The ids of what sales of the shop refer to."""

    id: int
    company: int
    currency_id: int
    currency: str  # ISO 4217
    warehouse: int
    places: tuple[int, int]  # storage and output: what is picked already is still on hand


def find_shop(visit: Visit, name: str) -> WebShop:
    """The web shop of that name. Raises ErpAuthFailed where it is not there for us, or not complete."""
    fields = ["company", "currency", "currency.code", "company.currency", "warehouses"]
    found = visit.ask("model.web.shop.search_read", [["name", "=", name]], 0, 1, None, fields)
    if not found:
        raise ErpAuthFailed(f"Tryton has no web shop {name!r} that we may see: look at ERP_TRYTON_SHOP.")
    shop = found[0]
    if not shop["warehouses"]:
        raise ErpAuthFailed(f"The web shop {name!r} has no warehouse in Tryton.")
    if shop["currency"] != shop["company."]["currency"]:
        raise ErpAuthFailed(f"The web shop {name!r} has another currency than its company in Tryton.")
    places = visit.ask("model.stock.location.read", shop["warehouses"][:1], ["storage_location", "output_location"])[0]
    return WebShop(
        id=shop["id"],
        company=shop["company"],
        currency_id=shop["currency"],
        currency=shop["currency."]["code"],
        warehouse=shop["warehouses"][0],
        places=(places["storage_location"], places["output_location"]),
    )
