"""A sale with a waiting room, as shoppers with browsers of their own meet it; in a shop where holds last seconds."""

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from playwright.sync_api import BrowserContext, Locator, Page, expect

from storefront.waiting_room import keys
from tests.backstage import HOUR_MS, Backstage, join, place_of, state_of
from tests.browser.stocked_shop import Item, StockedShop
from tests.browser.test_expiry import COUNT_ANNOUNCEMENTS, NOTE_WORDS
from tests.browser.test_phone import PHONE, overflow_of
from tests.browser.test_transports import NO_WEBSOCKET
from tests.browser.visitor import Visitor, expect_transport, hold, hold_button

HOLD_SECONDS = 10
PASS_SECONDS = 12
PATIENCE_MS = 12_000  # for what waits for the clock's next tick, on a busy machine too
SLOW = 0.0001  # admissions per second: nobody is let in
QUICK = 1_000.0

Come = Callable[..., Visitor]
HIDE = """globalThis.hide = (it) => {
  Object.defineProperty(document, 'hidden', { value: it, configurable: true });
  document.dispatchEvent(new Event('visibilitychange'));
};"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StockedShop]:
    with StockedShop(tmp_path_factory.mktemp("sale-shop"), HOLD_SECONDS=str(HOLD_SECONDS)) as running:
        yield running


@pytest.fixture(scope="module")
def operator(shop: StockedShop) -> Iterator[Backstage]:
    operator = Backstage(shop)
    yield operator
    operator.close()


@pytest.fixture
def backstage(operator: Backstage) -> Iterator[Backstage]:
    """Behind the scenes of the shop, whose sales are over after the test."""
    yield operator
    operator.close_sales()


@pytest.fixture
def open_sale(backstage: Backstage, shop: StockedShop) -> Callable[..., str]:
    """A sale that is open: `open_sale(item, rate=QUICK)`; as it comes nobody is let in."""

    def make(item: Item, **fields: Any) -> str:
        slug = backstage.sale(item.sku, **{"rate": SLOW, "title": item.title, **fields})
        wait_for_state(shop, slug, "open")
        return slug

    return make


def wait_for_state(shop: StockedShop, slug: str, state: str) -> None:
    deadline = time.monotonic() + 15
    while state_of(shop, slug) != state:
        assert time.monotonic() < deadline, f"the sale is not {state}"
        time.sleep(0.1)


def path_of(slug: str) -> str:
    return f"/sales/{slug}"


def leave(shop: StockedShop, slug: str, session: requests.Session) -> None:
    session.delete(f"{shop.url}/api/v1/sales/{slug}/tickets/me", timeout=10).raise_for_status()


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name).click()


def place(page: Page) -> Locator:
    return page.locator("[data-sale-ordinal]")


def expect_turn(page: Page) -> None:
    expect(page.get_by_role("heading", name="It is your turn.")).to_be_visible(timeout=PATIENCE_MS)


def come_and_join(visitor: Visitor, slug: str, transport: str = "websocket") -> Page:
    page = visitor.open(path_of(slug))
    press(page, "Join the line")
    expect(place(page)).to_be_visible()
    expect_transport(page, transport)
    return page


def choose_and_hold(page: Page) -> None:
    page.get_by_role("link", name="Choose").click()
    page.wait_for_url("**/products/**")
    expect_transport(page, "websocket")
    hold(page)


def said(page: Page) -> list[str]:
    """What NOTE_WORDS has noted, in its order, each once."""
    return list(dict.fromkeys(words for _, words in page.evaluate("window.said")))


def test_three_browsers_in_a_sale_of_two(shop: StockedShop, backstage: Backstage, visitor: Come) -> None:
    item = shop.item(units=2)
    slug = backstage.sale(
        item.sku, opens_in_ms=HOUR_MS, lobby_seconds=7_200, rate=0.4, pass_seconds=PASS_SECONDS, grace_seconds=10
    )
    wait_for_state(shop, slug, "lobby")
    first, second, third = [come_and_join(visitor(), slug) for _ in range(3)]
    for page, words in ((first, "1st"), (second, "2nd"), (third, "3rd")):
        expect(place(page)).to_have_text(words)
    place(third).evaluate(NOTE_WORDS)

    backstage.change(slug, "open")
    expect_turn(first)
    expect(place(third)).to_have_text("2nd", timeout=PATIENCE_MS)
    expect_turn(second)
    expect(place(third)).to_have_text("1st", timeout=PATIENCE_MS)

    assert said(third) == ["3rd", "2nd", "1st"]
    expect(third).to_have_title(re.compile("^1st in line"))
    for page in (first, second):
        choose_and_hold(page)
    held_at = time.monotonic()
    expect(third.get_by_role("heading", name="Sold out, for now")).to_be_visible()
    assert time.monotonic() - held_at < 3  # within a second of the tick, which comes twice a second
    expect(place(third)).to_have_text("1st")

    expect_turn_after_hold_expires(third)
    choose_and_hold(third)


def expect_turn_after_hold_expires(page: Page) -> None:
    heading = page.get_by_role("heading", name="It is your turn.")
    expect(heading).to_be_visible(timeout=(HOLD_SECONDS + PASS_SECONDS) * 1_000 + PATIENCE_MS)
    expect(page).to_have_title(re.compile("^Your turn!"))


def test_everything_works_without_scripts(
    shop: StockedShop, backstage: Backstage, open_sale: Callable[..., str], visitor: Come
) -> None:
    item = shop.item(units=3)
    slug = open_sale(item, pass_seconds=60)
    ahead = join(shop, slug)
    page = visitor(java_script_enabled=False).open(path_of(slug))

    press(page, "Join the line")
    expect(place(page)).to_have_text("2nd")
    leave(shop, slug, ahead)
    expect(place(page)).to_have_text("1st", timeout=PATIENCE_MS)  # the page looks again by itself
    page.get_by_role("link", name="Leave the line").click()
    press(page, "Leave")
    expect(page.get_by_role("button", name="Join the line")).to_be_visible()
    press(page, "Join the line")
    expect(place(page)).to_have_text("1st")

    backstage.pace(slug, rate=QUICK)
    expect_turn(page)
    press(page, "More time")
    expect(page.get_by_text("You have more time.")).to_be_visible()
    page.get_by_role("link", name="Choose").click()
    hold_button(page).click()
    expect(page.locator("[data-line]")).to_contain_text(item.title)


def websocket(context: BrowserContext) -> None:
    context.add_init_script(NO_WEBSOCKET)


def websocket_and_events(context: BrowserContext) -> None:
    websocket(context)
    context.route("**/live/sales/**", lambda route: route.abort())


@pytest.mark.parametrize(("block", "left"), [(websocket, "sse"), (websocket_and_events, "poll")])
def test_on_every_rung_the_place_is_that_of_the_json_and_moves(
    block: Callable[[BrowserContext], None], left: str, shop: StockedShop, backstage: Backstage,
    open_sale: Callable[..., str], visitor: Come,
) -> None:  # fmt: skip
    slug = open_sale(shop.item(units=3))
    ahead = [join(shop, slug) for _ in range(2)]
    waiter = visitor()
    waiter.expects("ERR_FAILED.*live/sales")
    block(waiter.context)
    page = come_and_join(waiter, slug, transport=left)
    expect(place(page)).to_have_text("3rd")

    leave(shop, slug, ahead[0])
    expect(place(page)).to_have_text("2nd")
    in_json = page.request.get(f"/api/v1/sales/{slug}/tickets/me").json()["position"]
    backstage.say(slug, "It goes on in a minute")
    expect(page.get_by_text("It goes on in a minute")).to_be_visible()
    leave(shop, slug, ahead[1])
    expect(place(page)).to_have_text("1st")
    backstage.pace(slug, rate=QUICK)

    expect_turn(page)
    assert in_json == 2


def test_a_reload_a_closed_tab_and_a_lost_network_keep_the_place(
    shop: StockedShop, open_sale: Callable[..., str], visitor: Come
) -> None:
    slug = open_sale(shop.item(units=3))
    ahead = join(shop, slug)
    waiter = visitor()
    waiter.expects("ERR_INTERNET_DISCONNECTED", "WebSocket")
    page = come_and_join(waiter, slug)
    join(shop, slug)

    page.reload()
    expect(place(page)).to_have_text("2nd")
    page.close()
    page = waiter.open_live(path_of(slug))
    expect(place(page)).to_have_text("2nd")
    waiter.context.set_offline(True)
    expect_transport(page, "offline")
    leave(shop, slug, ahead)
    waiter.context.set_offline(False)

    expect(place(page)).to_have_text("1st", timeout=PATIENCE_MS)


def test_two_tabs_are_one_place_and_both_hear(
    shop: StockedShop, backstage: Backstage, open_sale: Callable[..., str], visitor: Come
) -> None:
    slug = open_sale(shop.item(units=3), pass_seconds=60)
    waiter = visitor()
    one = come_and_join(waiter, slug)
    two = waiter.open_live(path_of(slug))
    expect(place(two)).to_have_text("1st")

    backstage.pace(slug, rate=QUICK)
    for page in (one, two):
        expect_turn(page)
    ends = two.locator("[data-sale-turn]").get_attribute("data-sale-turn") or ""
    press(one, "More time")

    expect(two.locator("[data-sale-turn]")).not_to_have_attribute("data-sale-turn", ends, timeout=PATIENCE_MS)
    assert requests.get(f"{shop.url}/api/v1/sales/{slug}", timeout=10).json()["waiting"] == 0


@pytest.mark.parametrize(("block", "left", "glance_ms"), [(None, "websocket", 0), (websocket, "sse", 9_500)])
def test_the_title_of_a_hidden_tab_tells_that_it_is_ones_turn_and_the_turn_begins_when_it_is_shown(
    block: Callable[[BrowserContext], None] | None, left: str, glance_ms: int, shop: StockedShop, backstage: Backstage,
    open_sale: Callable[..., str], visitor: Come,
) -> None:  # fmt: skip
    slug = open_sale(shop.item(units=3), pass_seconds=60)
    waiter = visitor()
    waiter.context.add_init_script(HIDE)
    if block:
        block(waiter.context)
    page = waiter.open(path_of(slug))
    press(page, "Join the line")
    page.clock.install()
    page.reload()
    expect_transport(page, left)

    page.evaluate("hide(true)")
    page.clock.run_for(11_000)
    backstage.pace(slug, rate=QUICK)
    wait_until_admitted(backstage, slug)
    page.clock.run_for(glance_ms)  # such a tab looks up every 20 s, for 3 s
    expect(page).to_have_title(re.compile("^Your turn!"), timeout=5_000)
    while_hidden = admissions(backstage, slug)
    page.evaluate("hide(false)")

    expect_turn(page)
    assert (while_hidden, admissions(backstage, slug)) == (["granted"], ["arrived"])


def wait_until_admitted(backstage: Backstage, slug: str) -> None:
    deadline = time.monotonic() + 15
    while not admissions(backstage, slug):
        assert time.monotonic() < deadline, "nobody was let in"
        time.sleep(0.1)


def admissions(backstage: Backstage, slug: str) -> list[str]:
    with backstage.room() as room:
        records: Any = room.redis.hvals(keys.admitted(slug))
    return [record.split("|")[0] for record in records]


def test_a_screen_reader_hears_milestones_and_the_turn_and_no_more(
    shop: StockedShop, backstage: Backstage, open_sale: Callable[..., str], visitor: Come
) -> None:
    slug = open_sale(shop.item(units=3))
    ahead = [join(shop, slug) for _ in range(12)]
    waiter = visitor()
    waiter.context.add_init_script(COUNT_ANNOUNCEMENTS)
    page = waiter.open(path_of(slug))
    press(page, "Join the line")
    page.clock.install()
    page.reload()
    expect_transport(page, "websocket")
    expect(place(page)).to_have_text("13th")

    for position, one in zip(("12th", "11th", "10th", "9th"), ahead, strict=False):
        leave(shop, slug, one)
        expect(place(page)).to_have_text(position)
    in_a_hurry = page.evaluate("window.announced")
    page.clock.fast_forward(25_000)
    expect_transport(page, "websocket")
    for one in ahead[4:]:
        leave(shop, slug, one)
    expect(place(page)).to_have_text("1st")
    counted_out = page.evaluate("window.announced")
    backstage.pace(slug, rate=QUICK)
    expect_turn(page)

    assert in_a_hurry == []
    assert len(counted_out) == 1
    assert re.match(r"You are \d+\w\w in line\.", counted_out[0])
    assert page.evaluate("window.announced")[1:] == ["It is your turn."]


def test_a_place_is_taken_along_to_another_device_once(
    shop: StockedShop, open_sale: Callable[..., str], visitor: Come
) -> None:
    slug = open_sale(shop.item(units=3))
    desk, phone, thief = visitor(), visitor(viewport=PHONE), visitor()
    thief.expects("409")
    join(shop, slug)
    page = come_and_join(desk, slug)
    link_page = desk.open(path_of(slug))
    press(link_page, "Take my place to another device")
    link = link_page.get_by_label("Address").input_value()

    there = phone.open(link)
    press(there, "Move my place here")
    expect(place(there)).to_have_text("2nd")
    used = thief.open(link)

    expect(page.get_by_role("heading", name="You are not in line")).to_be_visible(timeout=PATIENCE_MS)
    expect(used.get_by_role("heading", name="This link has been used")).to_be_visible()
    assert overflow_of(there) <= 0


def test_a_page_that_is_open_lives_through_the_loss_of_the_queue(
    shop: StockedShop, backstage: Backstage, open_sale: Callable[..., str], visitor: Come
) -> None:
    slug = open_sale(shop.item(units=3))
    join(shop, slug)
    page = come_and_join(visitor(), slug)
    place(page).evaluate(NOTE_WORDS)

    with backstage.room() as room:
        room.redis.unlink(keys.line(slug), keys.head(slug), keys.admitted(slug))

    expect(page.get_by_text("People are coming back to their places")).to_be_visible(timeout=PATIENCE_MS)
    ahead = join(shop, slug)
    expect(page.get_by_text("People are coming back to their places")).to_be_hidden(timeout=2 * PATIENCE_MS)
    assert set(said(page)) <= {"2nd", "1st"}  # whoever was ahead has not come back
    assert place_of(shop, slug, ahead)["position"] == 2


def test_a_product_of_a_sale_leads_to_it_until_it_is_ones_turn(
    shop: StockedShop, backstage: Backstage, open_sale: Callable[..., str], visitor: Come
) -> None:
    item = shop.item(units=3)
    slug = open_sale(item, pass_seconds=60)
    shopper = visitor()
    shopper.expects("403")
    page = shopper.open_live(item.path)
    expect(hold_button(page)).to_be_hidden()

    page.get_by_role("link", name="Go to the sale").click()
    press(page, "Join the line")
    backstage.pace(slug, rate=QUICK)
    expect_turn(page)
    page.goto(item.path)
    expect(page.get_by_role("link", name="Go to the sale")).to_be_hidden()
    page.request.delete(f"/api/v1/sales/{slug}/tickets/me", headers={"Origin": shop.url})
    hold_button(page).click()

    expect(page.locator("[data-hold-alert]")).to_contain_text("You have left this sale")
    expect(page.get_by_role("link", name="Go to the sale")).to_be_visible()
    expect(hold_button(page)).to_be_hidden()


def test_the_front_page_names_a_sale_and_no_page_of_it_is_wider_than_a_phone(
    shop: StockedShop, backstage: Backstage, visitor: Come
) -> None:
    item = shop.item(units=3)
    slug = backstage.sale(
        item.sku, opens_in_ms=HOUR_MS, lobby_seconds=7_200, shuffle=True, one_per_email=True, rate=QUICK,
        title="Unverschämt schöne Porzellankaffeekannenwärmer",
    )  # fmt: skip
    wait_for_state(shop, slug, "lobby")
    shopper = visitor(viewport=PHONE)
    shopper.expects("pictures.invalid")
    wide: list[str] = []

    def look(name: str) -> None:
        if overflow_of(page) > 0:
            wide.append(name)

    page = shopper.open("/")
    look("front page")
    page.get_by_role("link", name="Porzellankaffeekannenwärmer").first.click()
    page.get_by_label("E-mail address").fill("ada@example.org")
    page.get_by_text("How you can check the draw").click()
    look("lobby")
    press(page, "Join the line")
    expect(page.get_by_text("Places are drawn when the sale opens.")).to_be_visible()
    look("in the lobby")
    page.get_by_role("link", name="Leave the line").click()
    look("leave?")
    page.get_by_role("link", name="Stay in line").click()
    backstage.change(slug, "open")
    expect_turn(page)
    look("turn")
    backstage.change(slug, "close")
    expect(page.get_by_role("heading", name="This sale is over")).to_be_visible(timeout=PATIENCE_MS)
    look("closed")

    assert wide == []
