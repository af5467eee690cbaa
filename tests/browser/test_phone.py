"""Small screens and missing pictures."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.stocked_shop import StockedShop
from tests.browser.test_without_javascript import fill_in_address
from tests.browser.visitor import Visitor

PHONE = {"width": 320, "height": 640}  # the narrowest that WCAG 1.4.10 asks for


def overflow_of(page: Page) -> int:
    """Pixels by which the page is wider than the screen, once its style sheets are there."""
    page.wait_for_load_state("load")
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


def test_no_page_is_wider_than_a_phone(shop: StockedShop, visitor: Callable[..., Visitor]) -> None:
    item = shop.item(units=3)
    shopper = visitor(viewport=PHONE)
    shopper.expects("404", "422", "pictures.invalid")
    wide: dict[str, int] = {}

    def look(page: Page, name: str) -> None:
        if overflow_of(page) > 0:
            wide[name] = overflow_of(page)

    for path in ("/", "/?q=nothing+like+that", "/cart", shop.sized.path, "/no-such-page"):
        look(shopper.open(path), path)
    page = shopper.open_holding(item)
    look(page, "product, held")
    page.goto("/cart")
    look(page, "cart with a line")
    page.goto("/checkout")
    look(page, "checkout")
    page.get_by_role("button", name="Place order").click()
    expect(page.get_by_role("alert")).to_be_visible()
    look(page, "checkout with errors")
    fill_in_address(page)
    page.get_by_label("Name", exact=True).fill("Ada Wolfeschlegelsteinhausenbergerdorff")
    page.get_by_role("button", name="Place order").click()
    expect(page.locator("[data-order-number]")).to_be_visible()
    look(page, "order")

    assert wide == {}


def test_a_picture_that_fails_shows_the_placeholder_with_its_name(
    shop: StockedShop, visitor: Callable[..., Visitor]
) -> None:
    shopper = visitor()
    shopper.expects("pictures.invalid")
    shopper.context.route("**/pictures.invalid/**", lambda route: route.fulfill(status=404, body=""))

    page = shopper.open(shop.sized.path)

    placeholder = page.locator(".picture--main")
    expect(placeholder.locator("img")).to_be_hidden()
    expect(placeholder.locator(".picture__initials")).to_be_visible()
    expect(page.get_by_role("img", name=shop.sized.title).first).to_be_visible()
