"""What a cart holds, and when it lets go."""

from flask import Flask

from storefront.core.tools import take
from storefront.stock import reservations
from storefront.stock.adjustments import set_limit
from storefront.stock.stockroom import Stockroom
from storefront.stock.verify import verify
from tests.cart.shelf import available, let_holds_run_out, shelve, visitor


def test_two_adds_of_one_sku_are_one_line(app: Flask) -> None:
    shelve(MUG=5)
    ann = visitor(app)

    ann.add("MUG", 1)
    ann.add("MUG", 2)

    (item,) = ann.get("/api/v1/cart").get_json()["items"]
    assert item["quantity"] == 3
    assert available(app, "MUG") == 2


def test_a_click_that_is_sent_twice_holds_once(app: Flask) -> None:
    shelve(MUG=5)
    ann = visitor(app)

    answers = [ann.add("MUG", 1, click_id="click") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].get_json()["expires_at"] == answers[1].get_json()["expires_at"]
    assert ann.cart() == {"MUG": 1}


def test_an_idempotency_key_stands_for_a_click(app: Flask) -> None:
    shelve(MUG=5)
    ann = visitor(app)

    for _ in range(2):
        ann.post("/api/v1/cart/items", json={"sku": "MUG", "quantity": 1}, headers={"Idempotency-Key": "k"})

    assert ann.cart() == {"MUG": 1}


def test_the_same_click_id_of_another_shopper_is_another_click(app: Flask) -> None:
    shelve(MUG=5)

    for who in (visitor(app), visitor(app)):
        who.add("MUG", 1, click_id="click")

    assert available(app, "MUG") == 3


def test_two_tabs_with_the_same_old_page_hold_once(app: Flask) -> None:
    shelve(MUG=5)
    ann = visitor(app)

    ann.add("MUG", 1, click_id="tab 1", seen=0)
    second = ann.add("MUG", 1, click_id="tab 2", seen=0)

    assert ann.cart() == {"MUG": 1}
    assert second.status_code == 201
    assert second.get_json()["quantity"] == 1


def test_a_tab_that_has_seen_the_hold_adds_to_it(app: Flask) -> None:
    shelve(MUG=5)
    ann = visitor(app)

    ann.add("MUG", 1, seen=0)
    ann.add("MUG", 1, seen=1)

    assert ann.cart() == {"MUG": 2}


def test_two_tabs_share_one_cart(app: Flask) -> None:
    shelve(MUG=5, CAP=5)
    tab = visitor(app)
    tab.add("MUG")
    other_tab = visitor(app)
    other_tab.set_cookie("session", tab.get_cookie("session").value)  # type: ignore[union-attr]

    other_tab.add("CAP")

    assert tab.cart() == other_tab.cart() == {"MUG": 1, "CAP": 1}


def test_from_1_to_3_with_1_free_stays_1(app: Flask) -> None:
    shelve(MUG=2)
    ann = visitor(app)
    ann.add("MUG", 1)

    answer = ann.put("/api/v1/cart/items/MUG", json={"quantity": 3})

    assert answer.status_code == 409
    assert answer.get_json()["code"] == "insufficient_stock"
    assert answer.get_json()["available"] == 1
    assert ann.cart() == {"MUG": 1}
    assert available(app, "MUG") == 1


def test_a_failed_add_does_not_renew(app: Flask) -> None:
    shelve(MUG=1)
    ann = visitor(app)
    ann.add("MUG")
    before = ann.get("/api/v1/cart").get_json()["items"][0]["expires_at"]

    refused = ann.add("MUG")

    assert refused.status_code == 409
    assert ann.get("/api/v1/cart").get_json()["items"][0]["expires_at"] == before


def test_ones_own_hold_does_not_keep_one_from_checking_out_the_last_unit(app: Flask) -> None:
    shelve(MUG=1)
    ann = visitor(app)
    ann.add("MUG")

    page = ann.get("/cart")
    order = ann.order("10.00")

    assert 'data-state="held"' in page.text
    assert order.status_code == 201


def test_the_product_page_of_the_last_unit_says_that_i_hold_it(app: Flask) -> None:
    shelve(MUG=1)
    ann, ben = visitor(app), visitor(app)
    ann.add("MUG")

    mine, his = ann.get("/products/mug"), ben.get("/products/mug")

    assert "Go to your cart" in mine.text
    assert "No more left" in mine.text  # and not "Sold out": it is held for her
    assert "Sold out" in his.text


def test_a_lowered_quantity_goes_back(app: Flask) -> None:
    shelve(MUG=5)
    ann, ben = visitor(app), visitor(app)
    ann.add("MUG", 2)
    ann.add("MUG", 3)

    ann.put("/api/v1/cart/items/MUG", json={"quantity": 1})

    assert ben.add("MUG", 4).status_code == 201
    assert ann.cart() == {"MUG": 1}
    assert verify(take("stockroom"), 0) == []


def test_releasing_twice_gives_the_units_back_once(app: Flask) -> None:
    shelve(MUG=5)
    ann = visitor(app)
    ann.add("MUG", 2)

    answers = [ann.delete("/api/v1/cart/items/MUG") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [204, 204]
    assert available(app, "MUG") == 5


def test_releasing_after_the_sale_gives_nothing_back(app: Flask) -> None:
    shelve(MUG=5)
    ann = visitor(app)
    ann.add("MUG", 2)
    ann.order("20.00")

    ann.delete("/api/v1/cart/items/MUG")

    assert available(app, "MUG") == 3
    assert verify(take("stockroom"), 0) == []


def test_a_hold_that_ran_out_is_an_expired_line_and_no_item(app: Flask, room: Stockroom) -> None:
    shelve(MUG=5)
    ann = visitor(app)
    ann.add("MUG", 2)

    let_holds_run_out(room)

    cart = ann.get("/api/v1/cart").get_json()
    assert cart["items"] == []
    assert [line["sku"] for line in cart["expired"]] == ["MUG"]
    assert cart["total"]["amount"] == "0.00"


def test_a_hold_that_ran_out_cannot_be_extended(app: Flask, room: Stockroom) -> None:
    shelve(MUG=5)
    ann = visitor(app)
    ann.add("MUG", 2)
    let_holds_run_out(room)

    before_sweep = ann.post("/api/v1/cart/items/MUG/extend")
    reservations.expire_all_due(room)
    after_sweep = ann.post("/api/v1/cart/items/MUG/extend")

    for answer in (before_sweep, after_sweep):
        assert (answer.status_code, answer.get_json()["code"]) == (409, "hold_expired")
    assert available(app, "MUG") == 5


def test_a_hold_that_ran_out_can_be_held_again_from_the_cart(app: Flask, room: Stockroom) -> None:
    shelve(MUG=2)
    ann = visitor(app)
    ann.add("MUG", 2)
    let_holds_run_out(room)
    reservations.expire_all_due(room)

    answer = ann.post("/cart/items/MUG/again")

    assert answer.status_code == 303
    assert ann.cart() == {"MUG": 2}


def test_a_hold_past_its_deadline_that_nobody_swept_can_be_held_again(app: Flask, room: Stockroom) -> None:
    shelve(MUG=2)
    ann = visitor(app)
    ann.add("MUG", 2)
    let_holds_run_out(room)

    ann.post("/cart/items/MUG/again")

    assert ann.cart() == {"MUG": 2}


def test_an_expired_line_whose_units_are_gone_says_so(app: Flask, room: Stockroom) -> None:
    shelve(MUG=1)
    ann, ben = visitor(app), visitor(app)
    ann.add("MUG")
    let_holds_run_out(room)
    reservations.expire_all_due(room)
    ben.add("MUG")

    ann.post("/cart/items/MUG/again")

    assert "somebody else took the last one" in ann.get("/cart").text
    assert ann.cart() == {}


def test_an_expired_line_can_be_taken_out(app: Flask, room: Stockroom) -> None:
    shelve(MUG=1)
    ann = visitor(app)
    ann.add("MUG")
    let_holds_run_out(room)
    reservations.expire_all_due(room)

    ann.delete("/api/v1/cart/items/MUG")

    assert ann.get("/api/v1/cart").get_json()["expired"] == []
    assert available(app, "MUG") == 1


def test_a_line_of_two_clicks_that_ran_out_is_still_one_line_of_both(app: Flask, room: Stockroom) -> None:
    shelve(MUG=5)
    ann = visitor(app)
    ann.add("MUG", 1)
    ann.add("MUG", 2)

    let_holds_run_out(room)
    reservations.expire_all_due(room)
    expired = ann.get("/api/v1/cart").get_json()["expired"]
    ann.post("/cart/items/MUG/again")

    assert [line["quantity"] for line in expired] == [3]
    assert ann.cart() == {"MUG": 3}


def test_what_was_given_back_does_not_return_with_the_expired_line(app: Flask, room: Stockroom) -> None:
    shelve(MUG=5)
    ann = visitor(app)
    ann.add("MUG", 1)
    ann.add("MUG", 3)
    ann.put("/api/v1/cart/items/MUG", json={"quantity": 1})

    let_holds_run_out(room)

    assert [line["quantity"] for line in ann.get("/api/v1/cart").get_json()["expired"]] == [1]


def test_a_line_that_was_held_again_and_removed_is_gone(app: Flask, room: Stockroom) -> None:
    shelve(MUG=5)
    ann = visitor(app)
    ann.add("MUG", 1)
    let_holds_run_out(room)
    reservations.expire_all_due(room)
    ann.post("/cart/items/MUG/again")

    ann.delete("/api/v1/cart/items/MUG")

    assert ann.get("/api/v1/cart").get_json()["expired"] == []


def test_a_line_that_was_held_again_and_ordered_is_gone(app: Flask, room: Stockroom) -> None:
    shelve(MUG=5)
    ann = visitor(app)
    ann.add("MUG", 1)
    let_holds_run_out(room)
    reservations.expire_all_due(room)
    ann.post("/cart/items/MUG/again")

    ann.order("10.00")

    assert ann.get("/api/v1/cart").get_json()["expired"] == []


def test_an_extended_hold_outlives_its_first_deadline(app: Flask, room: Stockroom) -> None:
    shelve(MUG=1)
    ann = visitor(app)
    ann.add("MUG")
    first_deadline = ann.get("/api/v1/cart").get_json()["items"][0]["expires_at"]

    ann.post("/api/v1/cart/items/MUG/extend")
    reservations.expire_all_due(room)

    (item,) = ann.get("/api/v1/cart").get_json()["items"]
    assert item["expires_at"] > first_deadline
    assert verify(room, 0) == []


def test_the_limit_counts_what_is_held_and_ordered(app: Flask, room: Stockroom) -> None:
    shelve(MUG=9)
    set_limit(room, "MUG", 3)
    ann, ben = visitor(app), visitor(app)
    ann.add("MUG", 2)
    ann.order("20.00")

    one_more, too_many = ann.add("MUG", 1), ann.add("MUG", 1)

    assert one_more.status_code == 201
    assert (too_many.status_code, too_many.get_json()["code"]) == (409, "limit_reached")
    assert ben.add("MUG", 3).status_code == 201  # it is per shopper


def test_the_limit_holds_for_set_too(app: Flask, room: Stockroom) -> None:
    shelve(MUG=9)
    set_limit(room, "MUG", 2)
    ann = visitor(app)
    ann.add("MUG", 2)

    answer = ann.put("/api/v1/cart/items/MUG", json={"quantity": 3})

    assert answer.get_json()["code"] == "limit_reached"
    assert ann.cart() == {"MUG": 2}


def test_a_sku_with_spaces_and_slashes_can_be_held_changed_and_removed(app: Flask) -> None:
    shelve({"A/B c?ä": 5})
    ann = visitor(app)

    added = ann.add("A/B c?ä", 2)
    ann.put("/api/v1/cart/items/A%2FB%20c%3F%C3%A4", json={"quantity": 1})
    held = ann.cart()
    ann.delete("/api/v1/cart/items/A%2FB%20c%3F%C3%A4")

    assert added.status_code == 201
    assert held == {"A/B c?ä": 1}
    assert ann.cart() == {}


def test_extending_tells_the_deadline_that_the_line_has_then(app: Flask) -> None:
    shelve(MUG=5)
    ann = visitor(app)
    ann.add("MUG")
    for _ in range(3):
        ann.post("/api/v1/cart/items/MUG/extend")
    ann.add("MUG")

    told = ann.post("/api/v1/cart/items/MUG/extend").get_json()["expires_at"]  # only the second unit can be extended

    assert told == ann.get("/api/v1/cart").get_json()["items"][0]["expires_at"]


def test_setting_a_quantity_after_an_unswept_expiry_holds_that_many(app: Flask, room: Stockroom) -> None:
    shelve(MUG=5)
    ann = visitor(app)
    ann.add("MUG", 2)
    let_holds_run_out(room)

    ann.put("/api/v1/cart/items/MUG", json={"quantity": 3})
    reservations.expire_all_due(room)

    assert ann.cart() == {"MUG": 3}
    assert available(app, "MUG") == 2
