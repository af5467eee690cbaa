"""The countdown goes by the server's measure, not by the clock of the device."""

import re
from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.stocked_shop import StockedShop
from tests.browser.visitor import Visitor, clock, line

# The device's clock is wrong by window.wrongMs, which may change under way.
WRONG_CLOCK = """
window.wrongMs = 3_600_000;
const TrueDate = Date;
globalThis.Date = class extends TrueDate {
  constructor(...parts) { if (parts.length) super(...parts); else super(TrueDate.now() + window.wrongMs); }
  static now() { return TrueDate.now() + window.wrongMs; }
};
"""
NEARLY_ALL = re.compile(r"^(10:00|09:\d\d)$")  # of 600 seconds; the device is wrong by hours


def test_a_wrong_clock_on_the_device_changes_nothing(shop: StockedShop, visitor: Callable[..., Visitor]) -> None:
    item = shop.item(units=3)
    shopper = visitor()
    shopper.context.add_init_script(WRONG_CLOCK)
    shopper.open_holding(item).close()
    page = shopper.open("/cart")
    expect(clock(page)).to_have_text(NEARLY_ALL)
    first = clock(page).inner_text()

    page.evaluate("window.wrongMs = -7_200_000")

    expect(clock(page)).not_to_have_text(first)  # it ticks
    expect(clock(page)).to_have_text(NEARLY_ALL)
    expect(line(page, item)).to_have_attribute("data-state", "held")
