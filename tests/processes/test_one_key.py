"""A hundred requests with one Idempotency-Key, at once, over two web processes."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import requests
from requests.cookies import RequestsCookieJar

from tests.cart.shelf import DETAILS, all_at_once
from tests.running import RunningShop

TIMES = 100
PATIENCE_SECONDS = 120.0


def post(shop: RunningShop, cookies: RequestsCookieJar, path: str, body: Any) -> requests.Response:
    """One of the hundred, on a connection of its own; who is told to come again does, as long as that takes."""
    headers = {"Origin": shop.url, "Idempotency-Key": f"the key of {path}"}
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        answer = requests.post(f"{shop.url}{path}", json=body, headers=headers, cookies=cookies, timeout=30)
        if "Retry-After" not in answer.headers or time.monotonic() > until:
            return answer
        time.sleep(int(answer.headers["Retry-After"]))


def outcomes(answers: list[requests.Response]) -> set[tuple[int, str]]:
    return {(answer.status_code, answer.text) for answer in answers}


def test_a_hundred_posts_with_one_key_have_one_effect(open_shop: Callable[..., RunningShop]) -> None:
    shop = open_shop({"MUG": 50, "CAP": 1})
    ann = shop.shopper()
    shop.add(ann, "CAP")
    wish = {"sku": "MUG", "quantity": 2}
    order = {**DETAILS, "expected_total": {"amount": "30.00", "currency": "EUR"}}

    added = all_at_once([partial(post, shop, ann.cookies, "/api/v1/cart/items", wish)] * TIMES)
    ordered = all_at_once([partial(post, shop, ann.cookies, "/api/v1/orders", order)] * TIMES)
    shown = shop.flask("stock", "show", "MUG", "--json").stdout
    verified = shop.flask("stock", "verify", check=False)

    assert [answer.status_code for answer in added + ordered] == [201] * 2 * TIMES
    assert len(outcomes(added)) == len(outcomes(ordered)) == 1
    assert '"available": 48' in shown and '"committed": 2' in shown
    assert verified.returncode == 0, verified.stdout
