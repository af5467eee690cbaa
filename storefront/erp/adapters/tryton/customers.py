"""Customers: one party for each e-mail address, and an address for each place they have ordered to."""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

from storefront.erp.adapters.tryton.rpc import Visit, create
from storefront.erp.adapters.tryton.sales import chunks
from storefront.erp.documents import Document

PLACE = ("street_unstructured", "postal_code", "city", "country", "party_name")
Place = tuple[Any, ...]  # the values of PLACE


def email_of(order: Document) -> str:
    return order.email.strip().lower()


def find_customers(visit: Visit, orders: Sequence[Document]) -> tuple[dict[str, int], dict[str, str]]:
    """The parties of orders by e-mail address, made where they are not there, and Tryton's words where it refuses.

    Nothing in Tryton keeps two parties from having one e-mail address. The code of a party is unique, so ours
    follows from the address: of several senders at once, one makes the party and the others find it.
    """
    named = {email_of(order): order.name for order in orders}
    found = _find(visit, named)
    missing = [email for email in named if email not in found]
    made = create(visit, "party.party", [_party(email, named[email]) for email in missing]) if missing else []
    found |= {email: told for email, told in zip(missing, made, strict=True) if isinstance(told, int)}
    refused = {email: told for email, told in zip(missing, made, strict=True) if isinstance(told, str)}
    found |= _find(visit, refused) if refused else {}
    return found, {email: words for email, words in refused.items() if email not in found}


def _code(email: str) -> str:
    return f"WEB-{sha256(email.encode()).hexdigest()[:12].upper()}"


def _find(visit: Visit, emails: Iterable[str]) -> dict[str, int]:
    by_code = {_code(email): email for email in emails}
    found: dict[str, int] = {}
    for some in chunks(sorted(by_code.values())):
        clauses = [["type", "=", "email"], ["value", "in", some], ["party.active", "=", True]]
        for row in visit.search("party.contact_mechanism", clauses, ["value", "party"]):
            found.setdefault(row["value"], row["party"])
    for some in chunks(sorted(by_code)):
        everybody = {"active_test": False}  # a code stays taken by a party that was put away
        for row in visit.search("party.party", [["code", "in", some]], ["code"], everybody):
            found[by_code[row["code"]]] = row["id"]
    return found


def _party(email: str, name: str) -> dict[str, Any]:
    contact = {"type": "email", "value": email}
    return {"name": name, "code": _code(email), "contact_mechanisms": [["create", [contact]]], "addresses": []}


def find_places(
    visit: Visit, orders: Sequence[Document], parties: Mapping[str, int], countries: Mapping[str, int]
) -> dict[str, int]:
    """The address of each order by key; those that are not there are made.

    Several senders at once may each make one that is the same: the oldest is used.
    """
    wanted = {order.key: (parties[email_of(order)], _place(order, countries)) for order in orders}
    found = _find_places(visit, set(parties.values()))
    missing = list(dict.fromkeys(one for one in wanted.values() if one not in found))
    if missing:
        made = [{"party": party, **dict(zip(PLACE, place, strict=True))} for party, place in missing]
        ids = visit.do("model.party.address.create", made)
        found |= dict(zip(missing, ids, strict=True))
    return {key: found[one] for key, one in wanted.items()}


def _find_places(visit: Visit, parties: Iterable[int]) -> dict[tuple[int, Place], int]:
    found: dict[tuple[int, Place], int] = {}
    for row in visit.search("party.address", [["party", "in", sorted(parties)]], ["party", *PLACE]):
        found.setdefault((row["party"], tuple(row[name] or None for name in PLACE)), row["id"])
    return found


def _place(order: Document, countries: Mapping[str, int]) -> Place:
    street = "\n".join(part for part in (order.line1.strip(), order.line2.strip()) if part)
    city = ", ".join(part for part in (order.city.strip(), order.region.strip()) if part)
    return (
        street or None,
        order.postal_code.strip() or None,
        city or None,
        countries[order.country],
        order.name.strip(),
    )


def find_countries(visit: Visit, orders: Iterable[Document]) -> dict[str, int]:
    """The countries of orders by their two letters."""
    codes = sorted({order.country for order in orders})
    return {row["code"]: row["id"] for row in visit.search("country.country", [["code", "in", codes]], ["code"])}
