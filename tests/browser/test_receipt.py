"""The receipt of a place in a real browser: it can be read on a phone, long proofs and all."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect

from tests.backstage import Backstage
from tests.browser.stocked_shop import StockedShop
from tests.browser.test_phone import PHONE, overflow_of
from tests.browser.test_sale import wait_for_state
from tests.browser.visitor import PATIENCE_MS, Visitor


@pytest.fixture
def backstage(shop: StockedShop) -> Iterator[Backstage]:
    """Behind the scenes of the shop, whose sales are over after the test."""
    backstage = Backstage(shop)
    yield backstage
    backstage.close_sales()
    backstage.close()


def test_lots_and_how_to_check_them_fit_on_a_phone(
    shop: StockedShop, backstage: Backstage, visitor: Callable[..., Visitor]
) -> None:
    slug = backstage.sale(shop.item(units=3).sku, opens_in_ms=3_600_000, lobby_seconds=7200, shuffle=True)
    wait_for_state(shop, slug, "lobby")
    page = visitor(viewport=PHONE).open(f"/sales/{slug}")
    page.get_by_role("button", name="Join").first.click(timeout=PATIENCE_MS)
    page.get_by_role("link", name="Your receipt").click()
    expect(page.get_by_text("secret until the sale opens")).to_be_visible()
    widths = [overflow_of(page)]

    backstage.change(slug, "open")
    page.reload()

    expect(page.get_by_text("sha1sum")).to_be_visible()
    assert [*widths, overflow_of(page)] == [0, 0]
