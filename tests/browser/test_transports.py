"""The ladder of transports: each rung with those above it blocked, and the badge still moves."""

import time
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.browser.stocked_shop import StockedShop
from tests.browser.visitor import Visitor, badge, expect_transport, mark, was_not_reloaded

# As a proxy that refuses the upgrade: the socket never opens and ends with an error.
NO_WEBSOCKET = """
globalThis.WebSocket = class extends EventTarget {
  constructor() {
    super();
    setTimeout(() => { this.onerror?.(new Event('error')); this.onclose?.(new CloseEvent('close', { code: 1006 })); });
  }
  send() {}
  close() {}
};
"""


# As a firewall that drops its packets: the socket neither opens nor ends.
SWALLOWED_WEBSOCKET = """
globalThis.WebSocket = class extends EventTarget {
  send() {}
  close() {}
};
"""


def nothing(_context: BrowserContext) -> None:
    pass


def websocket(context: BrowserContext) -> None:
    context.add_init_script(NO_WEBSOCKET)


def swallowed_websocket(context: BrowserContext) -> None:
    context.add_init_script(SWALLOWED_WEBSOCKET)


def websocket_and_events(context: BrowserContext) -> None:
    websocket(context)
    context.route("**/live/stock**", lambda route: route.abort())


def client_file(context: BrowserContext) -> None:
    context.route("**/static/vendor/socket.io*", lambda route: route.fulfill(status=404, body=""))


def everything(context: BrowserContext) -> None:
    websocket_and_events(context)
    context.route("**/live/poll**", lambda route: route.abort())
    context.route("**/api/v1/stock**", lambda route: route.abort())


@pytest.mark.parametrize(
    ("block", "left"),
    [(nothing, "websocket"), (websocket, "sse"), (websocket_and_events, "poll"), (client_file, "sse")],
)
def test_the_badge_moves_on_what_is_left_of_the_ladder(
    block: Callable[[BrowserContext], None], left: str, shop: StockedShop, visitor: Callable[..., Visitor]
) -> None:
    item = shop.item(units=3)
    watcher = visitor()
    watcher.expects("ERR_FAILED.*live/stock", "404.*socket.io")
    block(watcher.context)
    page = watcher.open_live(item.path, transport=left)
    mark(page)

    for units_left in (2, 1):
        shop.add(shop.shopper(), item.sku)
        expect(badge(page)).to_contain_text(f"Only {units_left} left!")

    shop.add(shop.shopper(), item.sku)
    expect(badge(page)).to_contain_text("Sold out")
    assert was_not_reloaded(page)


@pytest.mark.parametrize("block", [websocket, swallowed_websocket])
def test_a_page_without_websocket_is_live_within_3_seconds(
    block: Callable[[BrowserContext], None], shop: StockedShop, visitor: Callable[..., Visitor]
) -> None:
    item = shop.item(units=3)
    began = time.monotonic()
    visitor().open_live(item.path)
    busy_ms = (time.monotonic() - began) * 1000  # what this machine takes for a page that nothing is wrong with
    watcher = visitor()
    block(watcher.context)

    page = watcher.open(item.path)

    expect_transport(page, "sse", timeout_ms=3_000 + busy_ms)


def test_a_hidden_tab_hears_nothing_and_is_right_when_it_is_shown(
    shop: StockedShop, visitor: Callable[..., Visitor]
) -> None:
    item = shop.item(units=3)
    shopper = visitor()
    shopper.context.add_init_script("globalThis.hide = (it) => {"
        "Object.defineProperty(document, 'hidden', { value: it, configurable: true });"
        "document.dispatchEvent(new Event('visibilitychange')); };")  # fmt: skip
    page = shopper.open(item.path)
    page.clock.install()
    page.reload()
    expect_transport(page, "websocket")

    page.evaluate("hide(true)")
    page.clock.run_for(11_000)
    shop.add(shop.shopper(), item.sku)
    page.wait_for_timeout(500)
    while_hidden = badge(page).inner_text()
    page.evaluate("hide(false)")

    assert "Only 3 left!" in while_hidden
    expect(badge(page)).to_contain_text("Only 2 left!")


def test_a_page_that_gets_nothing_says_so_and_still_sells(shop: StockedShop, visitor: Callable[..., Visitor]) -> None:
    item = shop.item(units=3)
    shopper = visitor()
    shopper.expects("ERR_FAILED")
    everything(shopper.context)
    page = shopper.open_live(item.path, transport="offline")
    expect(page.get_by_text("Stock is not live right now")).to_be_visible()

    page.locator("[data-hold-button]").click()

    expect(page.locator("[data-hold-note]")).to_have_text("Reserved for you: 1 in your cart.")
    expect(badge(page)).to_contain_text("Only 2 left!")
