"""Signatures on what is sent and on what is answered; the receiver checks with code of its own."""

import time
from collections.abc import Mapping
from pathlib import Path

import pytest
import requests

from storefront.core.signing import Signer
from storefront.erp.adapter import Adapter, BatchRejected, ErpAmbiguous, ErpAuthFailed, ErpThrottled, ErpUnavailable
from tests.erp.adapters.webhook.house import SECRET, House, adapter_of
from tests.erp.adapters.webhook.orders import batch, order
from tests.erp.adapters.webhook.receiver import Receiver, Seen

OTHER = "another secret, of a receiver that is not ours".replace(" ", "-")


@pytest.fixture
def sent(adapter: Adapter, receiver: Receiver) -> Seen:
    """A batch as it went over the wire, with all its headers."""
    adapter.submit(batch(1))
    return receiver.seen[0]


@pytest.fixture
def strict(house: House, tmp_path: Path) -> Adapter:
    """The adapter of a shop that takes signed answers only; the receiver signs."""
    house.receiver.signs_replies = True
    return adapter_of({**house.environ, "ERP_WEBHOOK_SIGNED_REPLIES": "yes"}, tmp_path)


def status_of(receiver: Receiver, headers: Mapping[str, str], body: bytes) -> int:
    return requests.post(f"{receiver.url}/batches", data=body, headers=headers, timeout=5).status_code


def test_the_receiver_knows_the_test_vector_of_the_standard(receiver: Receiver) -> None:
    signature = receiver.signature(
        SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}'
    )  # fmt: skip

    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_receiver_refuses_what_was_changed_on_its_way(house: House, sent: Seen) -> None:
    for place in range(0, len(sent.body), 37):
        changed = bytearray(sent.body)
        changed[place] ^= 1
        assert status_of(house.receiver, sent.headers, bytes(changed)) == 401

    assert status_of(house.receiver, sent.headers, sent.body) == 200
    assert len(house.booked()) == 1


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_the_receiver_refuses_a_changed_header(receiver: Receiver, sent: Seen, name: str) -> None:
    changed = {
        "webhook-id": "batch-2",
        "webhook-timestamp": str(int(time.time()) - 10),
        "webhook-signature": "v1,AAAA",
    }

    assert status_of(receiver, {**sent.headers, name: changed[name]}, sent.body) == 401


def test_the_receiver_refuses_what_was_sent_long_ago(receiver: Receiver, sent: Seen) -> None:
    old = Signer(SECRET).headers("batch-1", sent.body, at_seconds=int(time.time()) - 400)

    assert status_of(receiver, {**sent.headers, **old}, sent.body) == 401


def test_every_call_is_signed(house: House, tmp_path: Path) -> None:
    wrong = adapter_of({**house.environ, "ERP_WEBHOOK_SECRET": OTHER}, tmp_path)

    for call in (wrong.health, lambda: wrong.lookup(["a"]), lambda: wrong.changed_skus(0), lambda: [*wrong.booked()]):
        with pytest.raises(ErpAuthFailed, match="401 Unauthorized: the signature is wrong"):
            call()


@pytest.mark.parametrize("known", [SECRET, OTHER])
def test_while_the_secret_is_replaced_either_will_do(house: House, tmp_path: Path, known: str) -> None:
    house.receiver.secrets = [known]
    adapter = adapter_of({**house.environ, "ERP_WEBHOOK_SECRET": f"{OTHER} {SECRET}"}, tmp_path)

    adapter.submit(batch(1))

    assert len(house.booked()) == 1


def test_a_signed_answer_counts(house: House, strict: Adapter) -> None:
    assert [one.outcome for one in strict.submit(batch(1))] == ["applied"]
    assert strict.lookup(["order-1-1"])["order-1-1"].outcome == "applied"


def test_an_answer_that_was_changed_on_its_way_says_nothing(receiver: Receiver, strict: Adapter) -> None:
    for _ in range(2):
        receiver.will(garble=lambda body: body.replace(b"applied", b"unknown"))

    with pytest.raises(ErpAmbiguous, match="webhook-signature does not match"):
        strict.submit(batch(1))
    with pytest.raises(ErpUnavailable, match="webhook-signature does not match"):
        strict.lookup(["order-1-1"])


def test_an_answer_to_another_question_says_nothing(receiver: Receiver, strict: Adapter) -> None:
    receiver.will(headers={"webhook-id": "another"})

    with pytest.raises(ErpUnavailable, match="webhook-id is 'another'"):
        strict.health()


def test_a_refusal_has_to_be_signed_too(receiver: Receiver, strict: Adapter) -> None:
    receiver.will(instead=422, headers={"webhook-signature": "v1,AAAA"})
    with pytest.raises(ErpAmbiguous):
        strict.submit(batch(1))

    receiver.refuses = lambda _: True
    with pytest.raises(BatchRejected):
        strict.submit(batch(1, order(1)))


def test_a_proxy_that_asks_for_a_pause_has_no_secret(receiver: Receiver, strict: Adapter) -> None:
    receiver.signs_replies = False
    receiver.will(instead=429)

    with pytest.raises(ErpThrottled):
        strict.submit(batch(1))


def test_an_answer_without_a_signature_says_nothing(receiver: Receiver, strict: Adapter) -> None:
    receiver.signs_replies = False

    with pytest.raises(ErpAmbiguous, match="not signed as agreed"):
        strict.submit(batch(1))
