"""The waiting list of a whole shop: its worker writes to a real mail server, and one that hangs holds up nobody."""

import re
import socket
import time
from collections.abc import Callable

import requests

from tests.backstage import join, place_of
from tests.postbox import Postbox
from tests.running import RunningShop

PATIENCE_SECONDS = 40.0
LET_IN_SECONDS = 5.0  # twice a second people are let in; the mail server is waited for twice as long
SALE = ("--opens", "now", "--rate", "100", "--active", "10", "--limit", "1")


def wait_until(fact: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.05)


def ask(shop: RunningShop) -> None:
    answer = requests.post(
        f"{shop.url}/api/v1/sales/drop/waiting-list",
        json={"email": "ada@example.org"}, headers={"Origin": shop.url}, timeout=10,
    )  # fmt: skip
    assert answer.status_code == 202


def test_who_confirms_is_written_to_when_units_are_received(open_shop: Callable[..., RunningShop]) -> None:
    with Postbox() as postbox:
        given = {"MAIL_URL": f"smtp://127.0.0.1:{postbox.serve()}", "MAIL_FROM": "shop@example.org"}
        shop = open_shop({"MUG": 0}, SHOP_URL="https://shop.example.org", **given)
        shop.prepare("sale", "create", "drop", "--sku", "MUG", *SALE)
        ask(shop)
        wait_until(lambda: len(postbox.mails) == 1)
        path = re.search(r"https://shop\.example\.org(/waiting-list/\S+)", postbox.texts()[0])
        assert path
        confirmed = requests.post(f"{shop.url}{path[1]}/confirm", headers={"Origin": shop.url}, timeout=10)

        shop.prepare("sale", "close", "drop")
        shop.prepare("stock", "receive", "MUG", "1", "--reason", "delivery")
        wait_until(lambda: len(postbox.mails) == 2)

    assert "You are on the list" in confirmed.text
    assert postbox.mails[1]["To"] == "ada@example.org"
    assert "https://shop.example.org/products/mug" in postbox.texts()[1]


def test_a_mail_server_that_hangs_holds_up_nobody_in_line(open_shop: Callable[..., RunningShop]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(PATIENCE_SECONDS)
        shop = open_shop({"MUG": 5}, MAIL_URL=f"smtp://127.0.0.1:{silent.getsockname()[1]}")
        shop.prepare("sale", "create", "drop", "--sku", "MUG", *SALE)
        ask(shop)
        connection, _ = silent.accept()

        ada = join(shop, "drop")
        wait_until(lambda: place_of(shop, "drop", ada)["state"] == "admitted", LET_IN_SECONDS)

        connection.settimeout(0)
        still_hanging = _is_open(connection)
        connection.close()
    assert still_hanging


def _is_open(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) != b""
    except BlockingIOError:
        return True
