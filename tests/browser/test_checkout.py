"""Checkout with a browser: errors that can be found, and an order at the end."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.stocked_shop import StockedShop
from tests.browser.test_without_javascript import fill_in_address
from tests.browser.visitor import OnTheWay, Visitor, cart_count

Come = Callable[..., Visitor]


def open_checkout(shop: StockedShop, shopper: Visitor) -> Page:
    page = shopper.open_holding(shop.item(units=3))
    page.goto("/checkout")
    return page


def place_order(page: Page) -> None:
    page.get_by_role("button", name="Place order").click()


def test_errors_are_linked_to_their_fields_and_focus_lands_on_the_summary(shop: StockedShop, visitor: Come) -> None:
    shopper = visitor()
    shopper.expects("422")
    page = open_checkout(shop, shopper)
    page.get_by_label("E-mail").fill("no address")
    page.get_by_label("Name", exact=True).fill("Ada")

    place_order(page)

    summary = page.get_by_role("alert")
    expect(summary).to_contain_text("fields need another look")
    expect(summary).to_be_focused()
    email = page.get_by_label("E-mail")
    expect(email).to_have_value("no address")
    expect(email).to_have_attribute("aria-invalid", "true")
    expect(email).to_have_accessible_description("This is not an e-mail address.")
    expect(page.get_by_label("City")).to_have_accessible_description("Please fill in: city.")
    expect(page.get_by_label("Name", exact=True)).not_to_have_attribute("aria-invalid", "true")
    summary.get_by_role("link", name="E-mail").click()
    expect(email).to_be_focused()


def test_a_guest_orders_and_the_cart_is_empty_in_every_tab(shop: StockedShop, visitor: Come) -> None:
    shopper = visitor()
    other_tab = shopper.open("/")
    page = open_checkout(shop, shopper)
    expect(cart_count(other_tab)).to_have_text("1")
    fill_in_address(page)

    place_order(page)

    expect(page.get_by_role("heading", name="Thank you, Ada Lovelace.")).to_be_visible()
    expect(page.locator("[data-order-number]")).not_to_be_empty()
    expect(cart_count(page)).to_have_text("0")
    expect(cart_count(other_tab)).to_have_text("0")


def test_impatience_sends_the_order_once(shop: StockedShop, visitor: Come) -> None:
    page = open_checkout(shop, visitor())
    fill_in_address(page)
    sent = OnTheWay(page, "**/checkout")

    page.get_by_role("button", name="Place order").focus()
    for _ in range(2):
        page.keyboard.press("Enter")
        page.wait_for_timeout(300)
    sent.let_go(page)

    expect(page.locator("[data-order-status]")).to_have_text("Placed")
    assert len(sent.routes) == 1
