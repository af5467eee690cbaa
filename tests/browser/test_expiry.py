"""Holds that run out while pages are open: a shop of its own, where they last a few seconds."""

import re
import time
from collections.abc import Callable, Iterator
from datetime import datetime

import pytest
from playwright.sync_api import Page, expect

from tests.browser.stocked_shop import StockedShop
from tests.browser.visitor import (
    PATIENCE_MS,
    Visitor,
    badge,
    card_badge,
    cart_count,
    clock,
    line,
    line_badge,
    mark,
    search_path,
    was_not_reloaded,
)

HOLD_SECONDS = 12  # for all that a test does before they run out, on a slow machine too
LATEST_SECONDS = 2.0  # after the deadline, every open page says so
Come = Callable[..., Visitor]
# Counts what a screen reader is made to say: changes of text in live regions once the page stands.
COUNT_ANNOUNCEMENTS = """
window.announced = [];
new MutationObserver((changes) => {
  if (document.readyState === 'loading') return;
  const regions = changes.map(({ target }) => (target.closest ? target : target.parentElement)?.closest(
    '[role=status], [role=alert], [role=log], [aria-live=polite], [aria-live=assertive]'));
  new Set(regions.filter(Boolean)).forEach((region) => {
    const words = region.getAttribute('aria-live') === 'off' ? '' : region.textContent.trim();
    if (words) window.announced.push(words);
  });
}).observe(document, { subtree: true, childList: true, characterData: true });
"""

# When an element said what, by the clock of this machine: it is looked at more rarely than it changes.
NOTE_WORDS = """(element) => {
  const note = () => said.push([Date.now() / 1000, element.textContent]);
  const said = window.said = [];
  note();
  new MutationObserver(note).observe(element, { subtree: true, childList: true, characterData: true });
}"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StockedShop]:
    with StockedShop(tmp_path_factory.mktemp("hasty-shop"), HOLD_SECONDS=str(HOLD_SECONDS)) as running:
        yield running


def seconds_until_said(page: Page, words: str, since: float) -> float:
    """How long after the time `since` the page's badge first said `words`."""
    said: list[tuple[float, str]] = page.evaluate("window.said")
    return next(at for at, text in said if at >= since and words in text) - since


def tab_to(page: Page, name: str) -> None:
    """Press Tab until the button `name` has the focus."""
    button = page.get_by_role("button", name=name)
    for _ in range(30):
        page.keyboard.press("Tab")
        if button.evaluate("(button) => button === document.activeElement"):
            return
    raise AssertionError(f"the Tab key does not lead to {name!r}")


def test_every_open_browser_says_so_within_2_seconds_of_the_deadline(shop: StockedShop, visitor: Come) -> None:
    item = shop.item(units=3)
    in_cart = visitor()
    in_cart.open_holding(item).close()
    pages = [visitor().open_live(item.path), visitor().open_live(search_path(item)), in_cart.open_live("/cart")]
    badges = [badge(pages[0]), card_badge(pages[1], item), line_badge(pages[2], item)]
    for page, each in zip(pages, badges, strict=True):
        mark(page)
        each.evaluate(NOTE_WORDS)

    clicked = time.time()
    answer = shop.add(shop.shopper(), item.sku).json()
    for each in badges:
        expect(each).to_contain_text("Only 1 left!")
    busy_seconds = max(seconds_until_said(page, "Only 1 left!", clicked) for page in pages)

    deadline = datetime.fromisoformat(answer["expires_at"]).timestamp()
    for each in badges:
        expect(each).to_contain_text("Only 3 left!", timeout=HOLD_SECONDS * 1000 + PATIENCE_MS)
    late = [seconds_until_said(page, "Only 3 left!", deadline) for page in pages]
    assert max(late) <= LATEST_SECONDS + busy_seconds
    assert all(map(was_not_reloaded, pages))


def test_a_line_counts_down_quietly_ends_at_zero_and_can_be_held_again(shop: StockedShop, visitor: Come) -> None:
    item = shop.item(units=3)
    shopper = visitor()
    shopper.open_holding(item).close()
    shopper.context.add_init_script(COUNT_ANNOUNCEMENTS)
    page = shopper.open_live("/cart")
    expect(line(page, item)).to_have_attribute("data-state", "held")
    expect(page.get_by_role("button", name="Hold again")).to_be_hidden()
    expect(clock(page)).to_have_attribute("aria-live", "off")

    expect(line(page, item)).to_have_attribute("data-state", "expired", timeout=HOLD_SECONDS * 1000 + PATIENCE_MS)

    announced = page.evaluate("window.announced")
    assert len(announced) <= 1, announced  # one warning, and no word each second
    expect(page.get_by_text("This hold has run out")).to_be_visible()
    expect(page.get_by_role("button", name="Extend")).to_be_hidden()
    expect(page.get_by_role("link", name="Check out")).to_be_hidden()
    expect(cart_count(page)).to_have_text("0")
    page.get_by_role("button", name="Hold again").click()
    expect(line(page, item)).to_have_attribute("data-state", "held")
    expect(cart_count(page)).to_have_text("1")
    assert shop.available(item.sku) == 2


def test_a_hold_is_extended_by_keyboard_alone(shop: StockedShop, visitor: Come) -> None:
    item = shop.item(units=3)
    shopper = visitor()
    shopper.open_holding(item).close()
    page = shopper.open("/cart")
    expect(clock(page)).to_have_text(re.compile("^00:0[1-5]$"))

    tab_to(page, "Extend")
    page.keyboard.press("Enter")

    expect(page.get_by_text("You have more time.")).to_be_visible()
    expect(clock(page)).to_have_text(re.compile("^00:(0[6-9]|1[0-2])$"))
    expect(line(page, item)).to_have_attribute("data-state", "held")
