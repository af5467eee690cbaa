"""What happens to an open page when something behind it goes away and comes back."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect
from redis import Redis

from tests.browser.stocked_shop import StockedShop
from tests.browser.visitor import Visitor, badge, expect_transport, mark, was_not_reloaded

WEB = ("web.1", "web.2")
# Every version the badge shows from now on.
RECORD_VERSIONS = """(badge) => {
  const note = () => shown.push(Number(badge.dataset.version));
  const shown = window.shownVersions = [];
  note();
  new MutationObserver(note).observe(badge, { attributes: true, attributeFilter: ['data-version'] });
}"""


@pytest.fixture
def mended(shop: StockedShop) -> Iterator[StockedShop]:
    """The shop, whole again for the next test whatever happened to it in this one."""
    yield shop
    if any(process.poll() is not None for process in shop.processes.values()):
        shop.start()


def watch(page: Page) -> None:
    mark(page)
    badge(page).evaluate(RECORD_VERSIONS)


def epoch_of(page: Page) -> int:
    return int(badge(page).get_attribute("data-epoch") or 0)


def versions_of(page: Page) -> list[int]:
    return page.evaluate("window.shownVersions")


def test_a_page_finds_back_after_a_restart_of_all_web_processes(
    mended: StockedShop, visitor: Callable[..., Visitor]
) -> None:
    item = mended.item(units=9)
    watcher = visitor()
    watcher.expects("ERR_", "WebSocket connection")
    page = watcher.open_live(item.path)
    mended.add(mended.shopper(), item.sku, 4)
    expect(badge(page)).to_contain_text("Only 5 left!")
    watch(page)

    mended.stop(WEB)
    expect_transport(page, "offline")
    mended.flask("stock", "adjust", item.sku, "-2", "--reason", "broken")
    mended.start()

    expect(badge(page)).to_contain_text("Only 3 left!")
    mended.add(mended.shopper(), item.sku)
    expect(badge(page)).to_contain_text("Only 2 left!")
    assert versions_of(page) == sorted(versions_of(page))
    assert was_not_reloaded(page)


def test_the_number_is_right_again_after_redis_was_wiped(mended: StockedShop, visitor: Callable[..., Visitor]) -> None:
    item = mended.item(units=9)
    page = visitor().open_live(item.path)
    mended.add(mended.shopper(), item.sku, 5)
    expect(badge(page)).to_contain_text("Only 4 left!")
    epoch = epoch_of(page)
    watch(page)

    with Redis(unix_socket_path=str(mended.redis.socket_path)) as redis:
        redis.flushall()

    expect(badge(page)).not_to_have_attribute("data-epoch", str(epoch))
    expect(badge(page)).to_contain_text("Only 4 left!")
    assert epoch_of(page) > epoch
    assert mended.add(mended.shopper(), item.sku).status_code == 201
    expect(badge(page)).to_contain_text("Only 3 left!")
    assert versions_of(page) == sorted(versions_of(page))
    assert was_not_reloaded(page)
