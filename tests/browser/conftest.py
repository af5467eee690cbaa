"""One Chromium and one shop for all browser tests; a new context for each visitor."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.chromium import NoChromium, launch_chromium
from tests.browser.stocked_shop import StockedShop
from tests.browser.visitor import PATIENCE_MS, Visitor


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        try:
            chromium = launch_chromium(playwright)
        except NoChromium as reason:
            pytest.fail(str(reason), pytrace=False)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StockedShop]:
    """Two web processes; holds last long. A test takes products of its own from it: `shop.item(units=3)`."""
    with StockedShop(tmp_path_factory.mktemp("browser-shop")) as running:
        yield running


@pytest.fixture
def visitor(browser: Browser, shop: StockedShop) -> Iterator[Callable[..., Visitor]]:
    """`visitor()` comes with a browser of his own; the test fails on errors in his pages that it did not expect.

    Keywords are those of Playwright's `Browser.new_context`.
    """
    visitors: list[Visitor] = []

    def come(**options: Any) -> Visitor:
        context = browser.new_context(base_url=shop.url, **options)
        context.set_default_timeout(PATIENCE_MS)
        visitors.append(Visitor(context))
        return visitors[-1]

    yield come
    for each in visitors:
        each.close()
    surprises = [error for each in visitors for error in each.surprises()]
    assert not surprises, "errors in the browser: " + "; ".join(surprises)
