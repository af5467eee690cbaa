"""Signatures: the published test vector of Standard Webhooks, and what is not taken for one."""

import time

import pytest

from storefront.core.signing import BadSignature, Signer

VECTOR = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"test": 2432232314}'
OLD, NEW = "the-secret-of-last-year", "the-secret-of-this-year"


def test_it_signs_as_the_standard_says() -> None:
    headers = Signer(VECTOR).headers("msg_p5jXN8AQM9LWM0D4loKWxJek", BODY, at_seconds=1614265330)

    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@pytest.mark.parametrize("known", [OLD, NEW, f"{NEW} {OLD}"])
def test_while_a_secret_is_replaced_who_knows_either_can_check(known: str) -> None:
    headers = Signer(f"{OLD} {NEW}").headers("1", BODY)

    Signer(known).check("1", headers, BODY)


def test_a_signature_among_others_is_found() -> None:
    headers = Signer(NEW).headers("1", BODY)
    headers["webhook-signature"] = f"v1a,AAAA v2,x  {headers['webhook-signature']}"

    Signer(NEW).check("1", headers, BODY)


@pytest.mark.parametrize("changed", [
    {"webhook-signature": ""}, {"webhook-signature": "v1,"}, {"webhook-signature": "v1,é"},
    {"webhook-timestamp": "1614265330"}, {"webhook-timestamp": "99999999999"}, {"webhook-timestamp": ""},
    {"webhook-timestamp": "9" * 5000}, {"webhook-timestamp": "١٦"}, {"webhook-timestamp": "-1"}, {"webhook-id": "2"},
])  # fmt: skip
def test_what_is_not_signed_as_agreed_is_refused(changed: dict[str, str]) -> None:
    headers = {**Signer(NEW).headers("1", BODY), **changed}

    with pytest.raises(BadSignature):
        Signer(NEW).check("1", headers, BODY)


@pytest.mark.parametrize("place", range(len(BODY)))
def test_every_byte_of_the_body_counts(place: int) -> None:
    headers = Signer(NEW).headers("1", BODY)
    changed = bytearray(BODY)
    changed[place] ^= 1

    with pytest.raises(BadSignature, match="does not match"):
        Signer(NEW).check("1", headers, bytes(changed))


def test_a_message_is_not_taken_under_another_time_or_id() -> None:
    headers = Signer(NEW).headers("1", BODY)
    later = {**headers, "webhook-timestamp": str(int(time.time()) + 5)}
    other = {**headers, "webhook-id": "2"}

    for changed, message_id in ((later, "1"), (other, "2")):
        with pytest.raises(BadSignature, match="does not match"):
            Signer(NEW).check(message_id, changed, BODY)


@pytest.mark.parametrize("seconds", [-301, 302])
def test_a_message_of_another_time_is_refused_however_well_it_is_signed(seconds: int) -> None:
    headers = Signer(NEW).headers("1", BODY, at_seconds=int(time.time()) + seconds)

    with pytest.raises(BadSignature, match="not within 300 s"):
        Signer(NEW).check("1", headers, BODY)


def test_another_secret_is_no_secret() -> None:
    with pytest.raises(BadSignature):
        Signer(NEW).check("1", Signer(OLD).headers("1", BODY), BODY)


@pytest.mark.parametrize("secrets", ["", " ", "short", f"{NEW} short", "whsec_not*base64*at*all", "whsec_c2hvcnQ="])
def test_what_is_too_weak_to_be_a_secret_is_refused(secrets: str) -> None:
    with pytest.raises(ValueError):
        Signer(secrets)
