"""The ops page of a sale in a real browser: its figures stay true, and it says when its buttons are old."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect

from tests.backstage import Backstage, join
from tests.browser.stocked_shop import StockedShop
from tests.browser.test_phone import overflow_of
from tests.browser.visitor import PATIENCE_MS, Visitor

LOGIN = {"http_credentials": {"username": "ops", "password": "secret"}}
WIDTHS = [390, 1280]


@pytest.fixture
def backstage(shop: StockedShop) -> Iterator[Backstage]:
    """Behind the scenes of the shop, whose sales are over after the test."""
    backstage = Backstage(shop)
    yield backstage
    backstage.close_sales()
    backstage.close()


def test_the_figures_follow_and_old_buttons_are_told_of(
    shop: StockedShop, backstage: Backstage, visitor: Callable[..., Visitor]
) -> None:
    slug = backstage.sale(shop.item(units=3).sku, opens_in_ms=3_600_000, lobby_seconds=7200)
    page = visitor(**LOGIN).open(f"/ops/sales/{slug}")
    now = page.locator("[data-ops-sale]")
    expect(now).to_contain_text("lobby", timeout=PATIENCE_MS)
    page.reload()

    join(shop, slug)
    expect(now.locator(".figures div", has_text="Joined")).to_have_text("Joined1", timeout=PATIENCE_MS)
    expect(page.locator("[data-ops-turned]")).to_be_hidden()
    backstage.change(slug, "open")

    expect(page.locator("[data-ops-turned]")).to_be_visible(timeout=PATIENCE_MS)
    page.get_by_role("link", name="Show what can be done now").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()


@pytest.mark.parametrize("width", WIDTHS)
def test_a_sale_is_announced_and_closed_with_the_keyboard_and_no_page_is_too_wide(
    shop: StockedShop, backstage: Backstage, visitor: Callable[..., Visitor], width: int
) -> None:
    sku = shop.item(units=3).sku
    page = visitor(**LOGIN, viewport={"width": width, "height": 800}).open("/ops/new-sale")
    page.get_by_label("Slug").fill(f"drop-{width}")
    page.get_by_label("SKUs").fill(sku)
    page.get_by_label("SKUs").press("Tab")
    page.get_by_role("button", name="Announce the sale").press("Enter")
    expect(page.get_by_text("is announced")).to_be_visible()

    too_wide = overflow_of(page)
    page.locator("summary").press("Enter")
    page.get_by_role("button", name="Close for good").press("Enter")

    expect(page.locator("[data-ops-sale]")).to_contain_text("closed")
    assert (too_wide, overflow_of(page)) == (0, 0)
