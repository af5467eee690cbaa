"""Everything a shopper can do works with plain forms."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.stocked_shop import StockedShop
from tests.browser.visitor import Visitor, cart_count, clock, hold_button, line

Come = Callable[..., Visitor]


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name).click()


def deadline_of(page: Page, sku: str) -> str:
    """When the visitor's hold on `sku` ends, as the API says it."""
    items = page.request.get("/api/v1/cart").json()["items"]
    return next(item["expires_at"] for item in items if item["sku"] == sku)


def fill_in_address(page: Page) -> None:
    for label, value in {
        "E-mail": "ada@example.com",
        "Name": "Ada Lovelace",
        "Street and number": "12 St James's Square",
        "Postal code": "SW1Y 4JH",
        "City": "London",
    }.items():
        page.get_by_label(label, exact=True).fill(value)
    page.get_by_label("Country").select_option("GB")


def test_search_choose_hold_change_extend_and_remove(shop: StockedShop, visitor: Come) -> None:
    shopper = visitor(java_script_enabled=False)
    shopper.expects("pictures.invalid")
    page = shopper.open("/")
    large = shop.sized.skus[1]

    page.get_by_label("Search products").fill("copper")
    press(page, "Search")
    page.get_by_role("link", name=shop.sized.title).click()
    page.get_by_role("link", name="Large").click()
    expect(page.locator("[data-stock]")).to_have_attribute("data-sku", large)
    before = shop.available(large) or 0
    hold_button(page).click()

    expect(page.get_by_role("status").first).to_have_text("In your cart, held for you.")
    expect(page.locator("[data-line]")).to_contain_text("Large")
    assert shop.available(large) == before - 1
    page.get_by_label("Quantity of").fill("2")
    press(page, "Update")
    expect(cart_count(page)).to_have_text("2")
    assert shop.available(large) == before - 2
    deadline = deadline_of(page, large)
    press(page, "Extend")
    expect(page.get_by_text("You have more time.")).to_be_visible()
    expect(clock(page)).to_have_text(re.compile(r"^(10:00|09:\d\d)$"))
    assert deadline_of(page, large) > deadline
    press(page, "Remove")
    expect(page.get_by_role("heading", name="Your cart")).to_be_visible()
    expect(page.locator("[data-line]")).to_have_count(0)
    assert shop.available(large) == before


def test_check_out_and_cancel_the_order(shop: StockedShop, visitor: Come) -> None:
    item = shop.item(units=3)
    page = visitor(java_script_enabled=False).open(item.path)
    hold_button(page).click()
    page.get_by_role("link", name="Check out").click()

    fill_in_address(page)
    press(page, "Place order")

    expect(page.get_by_role("heading", name="Thank you, Ada Lovelace.")).to_be_visible()
    expect(page.locator("[data-order-status]")).to_have_text("Placed")
    expect(page.get_by_text(f"1 × {item.title}")).to_be_visible()
    assert shop.available(item.sku) == 2
    press(page, "Cancel this order")
    expect(page.locator("[data-order-status]")).to_have_text("Cancelled")
    assert shop.available(item.sku) == 3


def test_a_refusal_can_be_read_on_the_page_it_came_from(shop: StockedShop, visitor: Come) -> None:
    item = shop.item(units=1)
    page = visitor(java_script_enabled=False).open(item.path)
    shop.add(shop.shopper(), item.sku)

    hold_button(page).click()

    expect(page.get_by_role("alert").first).to_have_text("Sorry, somebody else took the last one.")
    expect(page.get_by_role("heading", name=item.title)).to_be_visible()
    expect(hold_button(page)).to_be_disabled()
    expect(cart_count(page)).to_have_text("0")


def test_a_quantity_that_is_not_there_leaves_the_cart_as_it_is(shop: StockedShop, visitor: Come) -> None:
    item = shop.item(units=3)
    page = visitor(java_script_enabled=False).open(item.path)
    hold_button(page).click()

    page.get_by_label("Quantity of").fill("7")
    press(page, "Update")

    expect(page.get_by_role("alert").first).to_contain_text("Only 2 left.")
    expect(line(page, item).get_by_label("Quantity of")).to_have_value("1")
    assert shop.available(item.sku) == 2
