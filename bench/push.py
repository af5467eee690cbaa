"""Push: how long after a change another browser shows it.

Two Chromium processes side by side on two web processes. The watcher's own MutationObserver says when its DOM
showed a version; the other end is the click (the clicking browser's clock) or the change itself (`at_ms`, Redis'
clock). All clocks are this machine's. Each web process hears of a change from Redis, also of its own ones, so it
makes no difference which of the two processes serves which browser.
"""

import tempfile
import time
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect, sync_playwright

from bench.table import percentile, print_table
from tests.browser.chromium import launch_chromium
from tests.browser.stocked_shop import Item, StockedShop
from tests.browser.visitor import expect_transport, hold_button

CHANGES = 50
API_CHANGES = 200
API_PAUSE_SECONDS = 0.05
TABS = 5  # after a hold its button rests for 1.5 s, so several take turns
UNITS = 1000
GOAL_MS = 100
LAST_WORD_SECONDS = 1.0
NOW = "performance.timeOrigin + performance.now()"
WATCH = f"""() => {{
  window.shownAt = {{}};
  new MutationObserver((changes) => {{
    const now = {NOW};
    for (const {{ target }} of changes) {{
      const badge = target.matches('[data-stock-words]') && target.closest('[data-stock]');
      if (badge) window.shownAt[`${{badge.dataset.sku}} ${{badge.dataset.version}}`] ??= now;
    }}
  }}).observe(document.body, {{ subtree: true, childList: true }});
}}"""
NOTE_CLICKS = f"document.addEventListener('click', () => {{ window.clickedAt = {NOW}; }}, true);"


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        # The badge tells the exact number below the threshold: so every change is one that can be seen.
        counts, threshold = {UNITS: TABS}, str(UNITS)
        with StockedShop(Path(folder), web=2, counts=counts, LOW_STOCK_THRESHOLD=threshold) as shop:
            clicking, watching = launch_chromium(playwright), launch_chromium(playwright)
            try:
                measure(shop, clicking, watching)
            finally:
                clicking.close()
                watching.close()


def measure(shop: StockedShop, clicking: Browser, watching: Browser) -> None:
    items = [shop.item(UNITS) for _ in range(TABS)]
    watcher = open_watcher(shop, watching)
    tabs = [open_tab(shop, clicking, item) for item in items]
    apart = max(clock_difference_ms(watcher), clock_difference_ms(tabs[0]))
    watcher.bring_to_front()
    clicks = [click(tab) for tab in islice(cycle(tabs), CHANGES)]
    added = add_by_api(shop, items)
    time.sleep(LAST_WORD_SECONDS)
    shown = watcher.evaluate("window.shownAt")
    rows = [
        row("click in the other browser -> DOM", [(key, clicked_at) for key, clicked_at, _ in clicks], shown),
        row("its change in Redis -> DOM", [(key, at_ms) for key, _, at_ms in clicks], shown),
        row("change by another shopper's API call -> DOM", added, shown),
    ]
    print_table(
        f"Push between two browsers, two web processes (goal: p99 < {GOAL_MS} ms; clocks agree within {apart:.1f} ms)",
        ["in ms", "changes", "seen", "median", "p99", "worst", "goal"],
        rows,
    )


def open_watcher(shop: StockedShop, browser: Browser) -> Page:
    """The listing with every badge, each change noted with its time."""
    page = browser.new_page(base_url=shop.url)
    page.goto("/?q=Cup")
    expect_transport(page, "websocket")
    page.evaluate(WATCH)
    return page


def open_tab(shop: StockedShop, browser: Browser, item: Item) -> Page:
    page = browser.contexts[0].new_page() if browser.contexts else browser.new_context(base_url=shop.url).new_page()
    page.add_init_script(NOTE_CLICKS)
    page.goto(item.path)
    expect_transport(page, "websocket")
    return page


def clock_difference_ms(page: Page) -> float:
    """By how much the page's clock and ours differ at most, by the quickest of some exchanges."""
    bounds = []
    for _ in range(20):
        before = time.time() * 1000
        theirs = page.evaluate(NOW)
        after = time.time() * 1000
        bounds.append(max(abs(theirs - before), abs(theirs - after)))
    return min(bounds)


def click(page: Page) -> tuple[str, float, float]:
    """One click on the hold button: what it made (SKU and version), when it was clicked, when Redis changed."""
    expect(hold_button(page)).not_to_have_text("Reserved")
    with page.expect_response("**/api/v1/cart/items") as response:
        hold_button(page).click()
    answer = response.value.json()
    return key_of(answer), page.evaluate("window.clickedAt"), answer["at_ms"]


def add_by_api(shop: StockedShop, items: list[Item]) -> list[tuple[str, float]]:
    shopper = shop.shopper()
    added = []
    for item in islice(cycle(items), API_CHANGES):
        answer = shop.add(shopper, item.sku).json()
        added.append((key_of(answer), answer["at_ms"]))
        time.sleep(API_PAUSE_SECONDS)
    return added


def key_of(level: dict[str, Any]) -> str:
    return f"{level['sku']} {level['version']}"


def row(name: str, changes: list[tuple[str, float]], shown: dict[str, float]) -> list[object]:
    took = [shown[key] - at for key, at in changes if key in shown]
    if not took:
        return [name, len(changes), 0, "-", "-", "-", "missed"]
    median, p99, worst = (percentile(took, percent) for percent in (50, 99, 100))
    met = p99 < GOAL_MS and len(took) == len(changes)
    return [name, len(changes), len(took), f"{median:.1f}", f"{p99:.1f}", f"{worst:.1f}", "met" if met else "missed"]


if __name__ == "__main__":
    main()
