"""Somebody with a browser of his own, and what he sees on the shop's pages."""

import re
import time

from playwright.sync_api import BrowserContext, ConsoleMessage, Error, Locator, Page, Route, expect

from tests.browser.stocked_shop import Item

PATIENCE_MS = 15_000  # with what will come about on the slowest machine; where time counts, the test says how much


class Visitor:
    """A browser context (own cookies, own connections) that collects every error its pages report."""

    def __init__(self, context: BrowserContext):
        self.context = context
        self.expected: list[str] = []
        self.errors: list[str] = []
        context.on("console", self._note_console)
        context.on("weberror", lambda error: self.errors.append(f"page error: {error.error}"))

    def _note_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(f"{message.text} ({message.location.get('url', '')})")

    def expects(self, *patterns: str) -> None:
        """Console errors that this test brings about itself, as regular expressions."""
        self.expected.extend(patterns)

    def surprises(self) -> list[str]:
        return [error for error in self.errors if not any(re.search(each, error) for each in self.expected)]

    def open(self, path: str) -> Page:
        """A new tab on `path`."""
        page = self.context.new_page()
        page.goto(path)
        return page

    def open_live(self, path: str, transport: str = "websocket") -> Page:
        """A new tab on `path` that gets live stock by now."""
        page = self.open(path)
        expect_transport(page, transport)
        return page

    def open_holding(self, item: Item) -> Page:
        """The product page of `item` after one unit was put in the cart there."""
        page = self.open_live(item.path)
        hold(page)
        return page

    def close(self) -> None:
        try:
            self.context.close()
        except Error:
            pass  # the browser is gone; the test has failed on that already


class OnTheWay:
    """Requests that match `pattern`, which do not reach the shop before they are let go."""

    def __init__(self, pages: Page | BrowserContext, pattern: str):
        self.routes: list[Route] = []
        pages.route(pattern, lambda route: self.routes.append(route))

    def let_go(self, page: Page, count: int = 1) -> None:
        """Wait until so many have been sent, and let all go."""
        deadline = time.monotonic() + PATIENCE_MS / 1000
        while len(self.routes) < count:
            assert time.monotonic() < deadline, f"{len(self.routes)} requests were sent"
            page.wait_for_timeout(20)  # Playwright calls back only while it is waited for
        for route in self.routes:
            route.continue_()


def expect_transport(page: Page, name: str, timeout_ms: float = PATIENCE_MS) -> None:
    expect(page.locator("html")).to_have_attribute("data-transport", name, timeout=timeout_ms)


def hold(page: Page) -> None:
    """Click the hold button of a product page and wait for the shop's word."""
    hold_button(page).click()
    expect(page.locator("[data-hold-note]")).to_contain_text("Reserved for you")


def hold_button(page: Page) -> Locator:
    return page.locator("[data-hold-button]")


def badge(page: Page) -> Locator:
    """The one badge of a product page."""
    return page.locator("[data-product] [data-stock]")


def card_badge(page: Page, item: Item) -> Locator:
    return page.locator(f"[data-product-card='{item.slug}'] [data-stock]")


def line(page: Page, item: Item) -> Locator:
    """The cart line of `item`."""
    return page.locator(f"[data-line][data-sku='{item.sku}']")


def line_badge(page: Page, item: Item) -> Locator:
    return line(page, item).locator("[data-stock]")


def cart_count(page: Page) -> Locator:
    return page.locator("[data-cart-count]")


def clock(page: Page) -> Locator:
    return page.locator("[data-countdown-clock]").first


def mark(page: Page) -> None:
    """Leave a mark that a reload would wipe."""
    page.evaluate("window.notReloaded = true")


def was_not_reloaded(page: Page) -> bool:
    return page.evaluate("window.notReloaded === true")


def search_path(item: Item) -> str:
    """A listing that shows `item`."""
    return f"/?q={item.title.replace(' ', '+')}"
