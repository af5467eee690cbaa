"""The ops pages about the ERP in a real browser: the chart is drawn under the shop's own policy, and all of it fits."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.stocked_shop import StockedShop
from tests.browser.test_ops_sale import LOGIN, WIDTHS
from tests.browser.test_phone import overflow_of
from tests.browser.visitor import Visitor

TABS = ["Dead letters", "Problems", "Shortfalls", "Reconciliation", "Events", "Status"]


@pytest.fixture
def books(shop: StockedShop) -> Iterator[None]:
    """An ERP that has an order on its books of which the shop knows nothing."""
    folder = shop.folder / "erp"
    folder.mkdir(exist_ok=True)
    file = folder / "booked-000001.csv"
    file.write_text("order_id,line,sku,quantity,unit_price,currency\n998000,1,CUP-3-01,2,12.50,EUR\n")
    yield
    file.unlink(missing_ok=True)


@pytest.mark.parametrize("width", WIDTHS)
def test_every_tab_is_reached_with_the_keyboard_and_fits_and_the_chart_is_drawn(
    books: None, visitor: Callable[..., Visitor], width: int
) -> None:
    page = visitor(**LOGIN, viewport={"width": width, "height": 800}).open("/ops/")
    page.get_by_role("link", name="ERP", exact=True).press("Enter")
    wide, drawn = {}, False

    for tab in TABS:
        page.get_by_role("link", name=tab).press("Enter")
        expect(page.locator(".tabs [aria-current]")).to_contain_text(tab)
        wide[tab] = overflow_of(page)
        if tab == "Reconciliation":
            expect(page.locator(".rows__row", has_text="Order 999000")).to_contain_text("the shop has no such order")
            drawn = page.locator("img.chart").evaluate("image => image.complete && image.naturalWidth > 0")
    page.get_by_role("button", name="Send now").press("Enter")

    expect(page.get_by_role("status").or_(page.get_by_role("alert")).first).to_be_visible()
    assert wide == dict.fromkeys(TABS, 0)
    assert drawn
