"""Tryton 8 as the ERP: orders become sales of its web shop, figures are read from its moves."""

from urllib.parse import urlsplit

from storefront.core.config import Reader, Settings
from storefront.erp.adapters.tryton.adapter import TrytonAdapter
from storefront.erp.adapters.tryton.rpc import Connection, Door

NEEDED = {
    "ERP_TRYTON_URL": "the address of the server, such as https://tryton.example.org",
    "ERP_TRYTON_DATABASE": "the name of its database",
    "ERP_TRYTON_USER": "the login of the shop's own user there",
    "ERP_TRYTON_PASSWORD": "his password",
    "ERP_TRYTON_SHOP": "the name of the web shop there",
}


def open_adapter(read: Reader, settings: Settings) -> TrytonAdapter:
    """The adapter with the settings ERP_TRYTON_…; what is wrong with them is noted in `read.problems`."""
    url = read.take("ERP_TRYTON_URL", "", "http(s)://HOST[:PORT], without a user in it", _address)
    seconds = read.number("ERP_TRYTON_SECONDS", 20, 1, 40)
    given = {name: read.environ.get(name, "").strip() for name in NEEDED}
    read.problems += [f"{name} is missing: give {what}." for name, what in NEEDED.items() if not given[name]]
    door = Door(
        url=url,
        database=given["ERP_TRYTON_DATABASE"],
        user=given["ERP_TRYTON_USER"],
        password=given["ERP_TRYTON_PASSWORD"],
        seconds=seconds,
    )
    return TrytonAdapter(Connection(door), given["ERP_TRYTON_SHOP"])


def _address(raw: str) -> str:
    url = urlsplit(raw)
    if url.scheme not in ("http", "https") or not url.hostname or url.username or url.query or url.fragment:
        raise ValueError(raw)
    return raw.rstrip("/")
