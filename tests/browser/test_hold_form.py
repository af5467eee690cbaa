"""The hold button answers at once, and takes it back when the shop says no."""

from collections.abc import Callable

from playwright.sync_api import Route, expect

from tests.browser.stocked_shop import StockedShop
from tests.browser.visitor import OnTheWay, Visitor, badge, cart_count, hold_button

ADD = "**/api/v1/cart/items"


def test_reserved_is_shown_before_the_answer_arrives(shop: StockedShop, visitor: Callable[..., Visitor]) -> None:
    item = shop.item(units=3)
    page = visitor().open_live(item.path)
    on_the_way = OnTheWay(page, ADD)

    hold_button(page).click()

    expect(hold_button(page)).to_have_text("Reserved")
    expect(cart_count(page)).to_have_text("1")
    assert shop.available(item.sku) == 3
    on_the_way.let_go(page)
    expect(page.locator("[data-hold-note]")).to_have_text("Reserved for you: 1 in your cart.")
    expect(page.get_by_role("link", name="Go to your cart")).to_be_visible()
    assert shop.available(item.sku) == 2


def test_a_refusal_takes_reserved_back_says_why_and_puts_the_badge_right(
    shop: StockedShop, visitor: Callable[..., Visitor]
) -> None:
    item = shop.item(units=1)
    slow = visitor()
    slow.expects("409", "ERR_FAILED")
    for live in (
        "**/static/vendor/**",
        "**/live/**",
        "**/api/v1/stock**",
    ):  # nobody tells this page that another was faster
        slow.context.route(live, lambda route: route.abort())
    page = slow.open(item.path)
    on_the_way = OnTheWay(page, ADD)
    shop.add(shop.shopper(), item.sku)
    expect(badge(page)).to_contain_text("Only 1 left!")

    hold_button(page).click()
    expect(hold_button(page)).to_have_text("Reserved")
    on_the_way.let_go(page)

    expect(page.get_by_role("alert")).to_contain_text("someone was faster")
    expect(badge(page)).to_contain_text("Sold out")
    expect(hold_button(page)).to_have_text("Sold out")
    expect(hold_button(page)).to_be_disabled()
    expect(cart_count(page)).to_have_text("0")


def test_more_than_there_are_is_refused_with_the_true_number(
    shop: StockedShop, visitor: Callable[..., Visitor]
) -> None:
    item = shop.item(units=3)
    shopper = visitor()
    shopper.expects("409")
    page = shopper.open_live(item.path)
    page.get_by_label("Quantity").fill("4")

    hold_button(page).click()

    expect(page.get_by_role("alert")).to_contain_text("Only 3 left. Your cart was not changed.")
    expect(cart_count(page)).to_have_text("0")
    assert shop.available(item.sku) == 3


def test_a_lost_answer_is_looked_up_in_the_cart(shop: StockedShop, visitor: Callable[..., Visitor]) -> None:
    item = shop.item(units=3)
    shopper = visitor()
    shopper.expects("ERR_")
    page = shopper.open_live(item.path)

    def lose_answer(route: Route) -> None:
        route.fetch()
        route.abort()

    page.route(ADD, lose_answer)

    hold_button(page).click()

    expect(page.locator("[data-hold-note]")).to_have_text("Reserved for you: 1 in your cart.")
    assert shop.available(item.sku) == 2
