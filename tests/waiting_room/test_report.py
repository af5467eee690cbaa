"""The fairness report: what it counts, and that it would tell of a sale that was not fair."""

from collections.abc import Callable
from hashlib import sha1

import pytest
from flask import Flask
from sqlalchemy import update

from storefront.core.db import transaction
from storefront.stock.stockroom import Stockroom
from storefront.waiting_room import keys, queue, sales, tick
from storefront.waiting_room.models import Admission, Sale
from storefront.waiting_room.outcomes import Joined
from storefront.waiting_room.report import DRAWN, EPOCH, Report, admissions, count_inversions, lot_of, report
from storefront.waiting_room.sales import NewSale, seed_hash
from tests.cart.shelf import Visitor, shelve, visitor


def read(room: Stockroom) -> Report:
    return report(room, sales.find(room, "drop"))


def admitted(number: int, score: int, epoch: int = 1) -> Admission:
    return Admission(epoch=epoch, number=number, score=score)


def by_arrival(ordinal: int, epoch: int = 1) -> int:
    """The score of a place."""
    return DRAWN + epoch * EPOCH + ordinal


def test_before_anything_has_happened_there_is_nothing_to_tell(room: Stockroom, sale_of: Callable[..., Sale]) -> None:
    sale_of(opened=False)

    found = read(room)

    assert (found.joined, found.admitted, found.inversions, found.units_ordered) == (0, 0, 0, 0)
    assert (found.longest_wait_ms, found.median_wait_ms, found.last_order_after_ms) == (None, None, None)


def test_everybody_is_counted_by_what_became_of_him(
    room: Stockroom, sale_of: Callable[..., Sale], join: Callable[..., Joined], time_passes: Callable[[str], None]
) -> None:
    sale_of(units=5)
    for shopper in ("ada", "bob", "cyd", "dan", "eve", "fay"):
        join(shopper)
    tick.tick_all(room)
    for shopper in ("ada", "cyd", "dan"):
        queue.arrive(room, "drop", shopper)
    queue.spend(room, "drop", ["ada"])
    queue.leave(room, "drop", "dan")
    time_passes("bob")
    time_passes("cyd")
    sales.change_state(room, "drop", "pause", "ops")
    tick.tick_all(room)

    found = read(room)

    assert (found.joined, found.admitted, found.inversions) == (6, 5, 0)
    assert (found.spent, found.no_shows, found.expired, found.left, found.active) == (1, 1, 1, 1, 1)
    assert found.longest_wait_ms is not None and found.median_wait_ms is not None
    assert 0 <= found.median_wait_ms <= found.longest_wait_ms


def test_who_comes_back_after_his_turn_has_a_new_place_and_the_order_is_kept(
    room: Stockroom, sale_of: Callable[..., Sale], join: Callable[..., Joined]
) -> None:
    sale_of(units=2)
    for shopper in ("ada", "bob", "cyd"):
        join(shopper)
    tick.tick_all(room)
    queue.leave(room, "drop", "ada")
    join("ada")
    queue.leave(room, "drop", "bob")
    tick.tick_all(room)

    rows = admissions(room, sales.find(room, "drop"))

    assert [(one.shopper, one.ordinal) for one in rows] == [("ada", 1), ("bob", 2), ("cyd", 3), ("ada", 4)]
    assert read(room).inversions == 0


@pytest.mark.parametrize("scores, inversions", [
    ([1, 2, 3, 4], 0), ([2, 1, 3, 4], 1), ([4, 3, 2, 1], 6), ([2, 3, 4, 1], 3), ([1, 1], 0), ([], 0),
])  # fmt: skip
def test_inversions_are_pairs_in_the_wrong_order(scores: list[int], inversions: int) -> None:
    rows = [admitted(number, by_arrival(score)) for number, score in enumerate(scores)]

    assert count_inversions(rows) == (inversions, 0)


def test_somebody_let_in_past_another_is_told_of(
    room: Stockroom, sale_of: Callable[..., Sale], join: Callable[..., Joined]
) -> None:
    sale_of(units=3)
    for shopper in ("ada", "bob", "cyd"):
        join(shopper)
    tick.tick_all(room)
    with transaction(room.engine) as session:
        session.execute(update(Admission).where(Admission.shopper == "ada").values(score=by_arrival(9)))

    assert read(room).inversions == 2


def test_late_comers_after_a_loss_are_counted_apart(
    room: Stockroom, sale_of: Callable[..., Sale], join: Callable[..., Joined]
) -> None:
    sale_of(units=1)
    ticket = join("ada").ticket
    sales.change_state(room, "drop", "pause", "ops")
    for key in (keys.head("drop"), keys.line("drop")):
        room.redis.delete(key)
    tick.tick_all(room)
    join("bob")
    room.redis.hset(keys.head("drop"), "hold_until_ms", 0)
    sales.change_state(room, "drop", "resume", "ops")
    tick.tick_all(room)
    queue.look(room, "drop", [ticket])
    queue.leave(room, "drop", "bob")
    tick.tick_all(room)

    found = read(room)

    assert [one.shopper for one in admissions(room, sales.find(room, "drop"))] == ["bob", "ada"]
    assert (found.inversions, found.inversions_after_loss) == (0, 1)


def test_of_two_late_comers_neither_hides_an_inversion_of_others() -> None:
    rows = [
        admitted(1, by_arrival(7, epoch=2), epoch=2), admitted(2, by_arrival(3), epoch=2),
        admitted(3, by_arrival(6, epoch=2), epoch=2),
    ]  # fmt: skip

    assert count_inversions(rows) == (1, 1)


def test_lots_can_be_checked_once_the_seed_is_known(
    room: Stockroom, sale_of: Callable[..., Sale], join: Callable[..., Joined]
) -> None:
    sale_of(units=5, opened=False, lobby_seconds=7200, shuffle=True)
    tick.tick_all(room)
    for shopper in ("ada", "bob", "cyd", "dan", "eve"):
        join(shopper)
    secret = read(room)

    sales.change_state(room, "drop", "open", "ops")
    tick.tick_all(room)
    known = read(room)

    rows = admissions(room, sales.find(room, "drop"))
    assert (secret.seed, secret.lots_proven) == (None, None)
    assert known.seed is not None and seed_hash(known.seed) == secret.seed_hash == known.seed_hash
    assert (known.lots, known.lots_proven, known.inversions) == (5, 5, 0)
    expected = sorted(sha1(f"{known.seed}:{one.shopper}".encode()).hexdigest()[:13] for one in rows)
    assert [one.lot for one in rows] == expected


def test_a_lot_that_does_not_follow_from_the_seed_is_not_proven(
    room: Stockroom, sale_of: Callable[..., Sale], join: Callable[..., Joined]
) -> None:
    sale_of(units=1, opened=False, lobby_seconds=7200, shuffle=True)
    tick.tick_all(room)
    join("ada")
    sales.change_state(room, "drop", "open", "ops")
    tick.tick_all(room)
    with transaction(room.engine) as session:
        session.execute(update(Admission).values(score=Admission.score + 1))

    found = read(room)

    assert (found.lots, found.lots_proven) == (1, 0)


def test_a_lot_is_what_redis_draws(room: Stockroom, sale_of: Callable[..., Sale], join: Callable[..., Joined]) -> None:
    sale = sale_of(opened=False, lobby_seconds=7200, shuffle=True)
    tick.tick_all(room)
    join("ada")

    score = room.redis.zscore(keys.line("drop"), "ada")

    assert f"{int(score):013x}" == lot_of(sale.seed, "ada")  # type: ignore[arg-type]


@pytest.fixture
def buyer(app: Flask, room: Stockroom) -> Callable[..., Visitor]:
    """Somebody who was let in to `drop`, took MUG and ordered it."""

    def come(key: str) -> Visitor:
        somebody = visitor(app)
        somebody.post("/api/v1/sales/drop/tickets")
        tick.tick_all(room)
        somebody.add("MUG")
        assert somebody.order("10.00", key).status_code == 201
        return somebody

    return come


def test_orders_are_counted_with_those_who_were_let_in(room: Stockroom, buyer: Callable[..., Visitor]) -> None:
    shelve(MUG=3, CAP=5)
    sales.create(room, NewSale("drop", ("MUG",), room.now_ms()), "ops")
    tick.tick_all(room)
    buyer("a")
    buyer("b")
    tick.tick_all(room)

    found = read(room)

    rows = admissions(room, sales.find(room, "drop"))
    assert (found.units_ordered, found.units_cancelled, found.units_without_pass) == (2, 0, 0)
    assert [(one.state, one.units_ordered) for one in rows] == [("spent", 1), ("spent", 1)]
    assert found.last_order_after_ms is not None and found.first_order_after_ms is not None
    assert 0 <= found.first_order_after_ms <= found.last_order_after_ms


def test_what_was_in_a_cart_before_the_announcement_is_told_of(app: Flask, room: Stockroom) -> None:
    shelve(MUG=3)
    early = visitor(app)
    early.add("MUG")
    sales.create(room, NewSale("drop", ("MUG",), room.now_ms()), "ops")
    tick.tick_all(room)

    early.order("10.00")

    assert (read(room).units_ordered, read(room).units_without_pass) == (1, 1)


def test_cancelled_units_are_told_of_and_other_skus_and_times_are_not(app: Flask, room: Stockroom) -> None:
    shelve(MUG=3, CAP=3)
    before, during, after = visitor(app), visitor(app), visitor(app)
    before.add("MUG")
    before.order("10.00")
    sales.create(room, NewSale("drop", ("MUG",), room.now_ms()), "ops")
    tick.tick_all(room)
    during.post("/api/v1/sales/drop/tickets")
    tick.tick_all(room)
    during.add("MUG")
    during.add("CAP", 2)
    token = during.order("30.00").get_json()["token"]
    sales.change_state(room, "drop", "close", "ops")
    after.add("MUG")
    assert after.order("10.00").status_code == 201
    during.post(f"/api/v1/orders/{token}/cancel")

    found = read(room)

    assert (found.units_ordered, found.units_cancelled) == (1, 1)


def test_one_can_ask_for_the_admissions_of_one_shopper(
    room: Stockroom, sale_of: Callable[..., Sale], join: Callable[..., Joined]
) -> None:
    sale_of(units=5)
    for shopper in ("ada", "bob"):
        join(shopper)
    tick.tick_all(room)

    assert [one.shopper for one in admissions(room, sales.find(room, "drop"), "bob")] == ["bob"]


def test_a_ticket_of_a_moved_place_is_no_lot_of_its_new_holder(
    room: Stockroom, sale_of: Callable[..., Sale], join: Callable[..., Joined]
) -> None:
    sale_of(units=1, opened=False, lobby_seconds=7200, shuffle=True)
    tick.tick_all(room)
    join("ada")
    queue.move(room, "drop", "ada", "ada-on-her-phone")
    sales.change_state(room, "drop", "open", "ops")
    tick.tick_all(room)

    (one,) = admissions(room, sales.find(room, "drop"))

    assert (one.shopper, one.proven) == ("ada-on-her-phone", False)
