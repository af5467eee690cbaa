"""Two browsers side by side: what one does, the other sees without a reload."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.stocked_shop import Item, StockedShop
from tests.browser.visitor import (
    Visitor,
    badge,
    card_badge,
    hold,
    line,
    line_badge,
    mark,
    search_path,
    was_not_reloaded,
)

Come = Callable[..., Visitor]


def on_product(watcher: Visitor, item: Item) -> tuple[Page, Locator]:
    page = watcher.open_live(item.path)
    return page, badge(page)


def on_listing(watcher: Visitor, item: Item) -> tuple[Page, Locator]:
    page = watcher.open_live(search_path(item))
    return page, card_badge(page, item)


def on_cart(watcher: Visitor, item: Item) -> tuple[Page, Locator]:
    watcher.open_holding(item).close()
    page = watcher.open_live("/cart")
    return page, line_badge(page, item)


@pytest.mark.parametrize(("watch", "free"), [(on_product, 3), (on_listing, 3), (on_cart, 2)])
def test_a_click_and_a_release_in_one_browser_change_the_badge_in_the_other(
    watch: Callable[[Visitor, Item], tuple[Page, Locator]], free: int, shop: StockedShop, visitor: Come
) -> None:
    item = shop.item(units=3)
    seen, watched = watch(visitor(), item)
    expect(watched).to_contain_text(f"Only {free} left!")
    mark(seen)
    clicking = visitor().open_live(item.path)

    hold(clicking)
    expect(watched).to_contain_text(f"Only {free - 1} left!")
    clicking.goto("/cart")
    line(clicking, item).get_by_role("button", name="Remove").click()

    expect(watched).to_contain_text(f"Only {free} left!")
    assert was_not_reloaded(seen)


def test_the_badge_of_the_clicking_page_itself_follows(shop: StockedShop, visitor: Come) -> None:
    item = shop.item(units=3)
    page = visitor().open_live(item.path)

    hold(page)

    expect(badge(page)).to_contain_text("Only 2 left!")
    expect(badge(page).get_by_text("1 in your cart")).to_be_visible()


def test_a_chosen_variant_is_followed_too(shop: StockedShop, visitor: Come) -> None:
    large = shop.sized.skus[1]
    watcher = visitor()
    watcher.expects("ERR_|pictures.invalid")
    page = watcher.open_live(shop.sized.path)
    page.locator(f"[data-variant][data-sku='{large}']").click()
    before = shop.available(large)
    expect(badge(page)).to_have_attribute("data-sku", large)

    shop.add(shop.shopper(), large)

    expect(badge(page)).to_contain_text(f"Only {(before or 0) - 1} left!")
    expect(page.locator("[name=sku]")).to_have_value(large)


def test_the_one_with_the_last_unit_is_not_told_it_is_sold_out_and_the_other_is(
    shop: StockedShop, visitor: Come
) -> None:
    item = shop.item(units=1)
    holder, other = visitor(), visitor()
    empty_handed = other.open_live(item.path)
    holding = holder.open_holding(item)
    listing, cart = holder.open_live(search_path(item)), holder.open_live("/cart")

    expect(empty_handed.locator("[data-stock-words]")).to_have_text("Sold out")
    expect(empty_handed.locator("[data-hold-button]")).to_be_disabled()
    for mine in (badge(holding), card_badge(listing, item), line_badge(cart, item)):
        expect(mine).to_contain_text("The last one is in your cart")
        expect(mine).not_to_contain_text("Sold out")
    holding.reload()
    expect(badge(holding)).to_contain_text("The last one is in your cart")
