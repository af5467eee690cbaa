"""Impatience holds nothing twice: double click, two tabs, refresh, back."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from playwright.sync_api import Locator, Page, expect

from tests.browser.stocked_shop import StockedShop
from tests.browser.visitor import OnTheWay, Visitor, badge, cart_count, hold, hold_button, line

ADD = "**/api/v1/cart/items"


def form_values(page: Page) -> dict[str, str]:
    return {name: page.locator(f"[name={name}]").input_value() for name in ("click_id", "seen")}


@contextmanager
def standing_still(shop: StockedShop) -> Iterator[None]:
    """The web processes answer nobody within the block, and then all who have asked."""
    web = [process for name, process in shop.processes.items() if name.startswith("web")]
    for process in web:
        process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in web:
            process.send_signal(signal.SIGCONT)


def middle_of(element: Locator) -> tuple[float, float]:
    box = element.bounding_box()
    assert box
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_a_double_click_holds_once(shop: StockedShop, visitor: Callable[..., Visitor]) -> None:
    item = shop.item(units=3)
    page = visitor().open_live(item.path)

    hold_button(page).dblclick()

    expect(hold_button(page)).to_have_text("Add another")
    expect(cart_count(page)).to_have_text("1")
    assert shop.available(item.sku) == 2


def test_a_double_click_without_javascript_holds_once(shop: StockedShop, visitor: Callable[..., Visitor]) -> None:
    item = shop.item(units=3)
    page = visitor(java_script_enabled=False).open(item.path)

    with standing_still(shop):  # else the second click may meet the page that comes after the first
        page.mouse.dblclick(*middle_of(hold_button(page)))
    page.wait_for_url("**/cart")

    expect(cart_count(page)).to_have_text("1")
    assert shop.available(item.sku) == 2


def test_a_second_click_without_javascript_before_the_shop_answers_the_first_holds_once(
    shop: StockedShop, visitor: Callable[..., Visitor]
) -> None:
    item = shop.item(units=3)
    page = visitor(java_script_enabled=False).open(item.path)
    button = middle_of(hold_button(page))

    with standing_still(shop):
        for _ in range(2):
            with page.expect_request(lambda request: request.method == "POST"):
                page.mouse.click(*button)  # a locator's click waits for the page to come
    page.wait_for_url("**/cart")

    expect(cart_count(page)).to_have_text("1")
    assert shop.available(item.sku) == 2


def test_the_same_page_in_two_tabs_clicked_in_both_holds_once(
    shop: StockedShop, visitor: Callable[..., Visitor]
) -> None:
    item = shop.item(units=3)
    shopper = visitor()
    hold(shopper.open_live(shop.item(units=3).path))  # the cookie is there: both tabs are the same shopper
    tabs = [shopper.open_live(item.path), shopper.open_live(item.path)]
    on_the_way = OnTheWay(shopper.context, ADD)

    for tab in tabs:
        tab.bring_to_front()
        hold_button(tab).click()
        expect(hold_button(tab)).to_have_text("Reserved")
    on_the_way.let_go(tabs[0], count=2)

    for tab in tabs:
        expect(tab.locator("[data-hold-note]")).to_have_text("Reserved for you: 1 in your cart.")
    assert len(on_the_way.routes) == 2
    assert shop.available(item.sku) == 2


def test_two_tabs_without_javascript_hold_once(shop: StockedShop, visitor: Callable[..., Visitor]) -> None:
    item = shop.item(units=3)
    shopper = visitor(java_script_enabled=False)
    tabs = [shopper.open(item.path), shopper.open(item.path)]

    for tab in tabs:
        hold_button(tab).click()
        tab.wait_for_url("**/cart")

    expect(line(tabs[1], item).get_by_label("Quantity")).to_have_value("1")
    assert shop.available(item.sku) == 2


def test_the_other_tab_knows_what_this_one_holds(shop: StockedShop, visitor: Callable[..., Visitor]) -> None:
    item = shop.item(units=3)
    shopper = visitor()
    other = shopper.open_live(item.path)

    shopper.open_holding(item)

    expect(hold_button(other)).to_have_text("Add another")
    expect(badge(other)).to_contain_text("1 in your cart")


def test_a_refresh_after_the_click_holds_nothing_more(shop: StockedShop, visitor: Callable[..., Visitor]) -> None:
    item = shop.item(units=3)
    page = visitor().open_holding(item)

    page.reload()

    expect(hold_button(page)).to_have_text("Add another")
    expect(cart_count(page)).to_have_text("1")
    assert shop.available(item.sku) == 2


def test_a_refresh_of_the_cart_without_javascript_holds_nothing_more(
    shop: StockedShop, visitor: Callable[..., Visitor]
) -> None:
    item = shop.item(units=3)
    page = visitor(java_script_enabled=False).open(item.path)
    hold_button(page).click()
    page.wait_for_url("**/cart")

    page.reload()

    assert shop.available(item.sku) == 2


def test_back_and_the_same_click_again_hold_nothing_more(shop: StockedShop, visitor: Callable[..., Visitor]) -> None:
    item = shop.item(units=3)
    page = visitor(java_script_enabled=False).open(item.path)
    before = form_values(page)
    hold_button(page).click()
    page.wait_for_url("**/cart")
    page.go_back(wait_until="commit")
    expect(hold_button(page)).to_be_visible()
    for name, value in before.items():  # as the browser's memory brings the page back, if it has not lost it
        page.locator(f"[name={name}]").evaluate("(input, value) => { input.value = value; }", value)

    hold_button(page).click()
    page.wait_for_url("**/cart")

    expect(cart_count(page)).to_have_text("1")
    assert shop.available(item.sku) == 2


def test_back_shows_what_is_held_instead_of_offering_it_anew(
    shop: StockedShop, visitor: Callable[..., Visitor]
) -> None:
    item = shop.item(units=3)
    page = visitor().open_holding(item)
    page.goto("/cart")

    page.go_back(wait_until="commit")

    expect(hold_button(page)).to_have_text("Add another")
    expect(page.locator("[name=seen]")).to_have_value("1")
    assert shop.available(item.sku) == 2


def test_an_old_click_sent_again_holds_nothing_more(shop: StockedShop, visitor: Callable[..., Visitor]) -> None:
    item = shop.item(units=3)
    shopper = visitor()
    page = shopper.open_live(item.path)
    with page.expect_request(ADD) as sent:
        hold(page)

    again = shopper.context.request.post(
        f"{shop.url}/api/v1/cart/items", data=sent.value.post_data_json, headers={"Origin": shop.url}
    )

    assert again.ok
    assert again.json()["quantity"] == 1
    assert shop.available(item.sku) == 2
