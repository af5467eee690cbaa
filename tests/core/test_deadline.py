"""The deadline of a request, and how the connection to Redis keeps it."""

import math
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import redis
from flask import Flask
from redis import Redis

from storefront.core.deadline import MOMENT_SECONDS, REQUEST_SECONDS, deadline, seconds_left
from storefront.core.embedded_redis import EmbeddedRedis
from storefront.core.redis import connect
from tests.cart.shelf import visitor


@pytest.fixture
def client(redis_server: EmbeddedRedis) -> Iterator[Redis]:
    """A client with one connection, which stands."""
    client = connect(redis_server.url, max_connections=1)
    client.flushall()
    yield client
    client.close()


def test_without_a_deadline_a_wait_may_take_all_it_wants() -> None:
    assert (seconds_left(5), seconds_left(math.inf)) == (5, math.inf)


def test_a_wait_gets_what_the_deadline_leaves() -> None:
    with deadline(30):
        assert 0 < seconds_left(60) <= 30
        assert seconds_left(0.1) == 0.1
    assert seconds_left(60) == 60


def test_what_is_well_has_a_moment_to_answer_even_then(client: Redis) -> None:
    with deadline(0.0):
        assert seconds_left(5) == MOMENT_SECONDS
        assert seconds_left(0.01) == 0.01
        assert client.ping()


def test_a_deadline_within_another_cannot_extend_it() -> None:
    with deadline(30), deadline(60):
        assert seconds_left(90) <= 30


def test_a_thread_that_a_request_starts_may_go_on_after_it() -> None:
    left: list[float] = []

    with deadline(0.2):
        thread = threading.Thread(target=lambda: left.append(seconds_left(5)))
        thread.start()
        thread.join()

    assert left == [5]


def test_a_request_has_one_of_its_own(app: Flask) -> None:
    app.add_url_rule("/left", view_func=lambda: str(seconds_left(60)))

    left = float(visitor(app).get("/left").text)

    assert REQUEST_SECONDS - 1 < left <= REQUEST_SECONDS
    assert seconds_left(60) == 60


def test_who_waits_for_a_connection_waits_no_longer(client: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storefront.core.redis.POOL_WAIT_SECONDS", 60.0)
    held = client.connection_pool.get_connection()
    began = time.monotonic()

    with deadline(0.2), pytest.raises(redis.ConnectionError):
        client.ping()

    assert time.monotonic() - began < 30
    client.connection_pool.release(held)


def test_a_slow_answer_is_waited_for_no_longer_and_disturbs_nobody_later(client: Redis) -> None:
    client.set("units", "5")

    with deadline(0.2), pytest.raises(redis.TimeoutError):
        client.blpop(["nothing"], timeout=0.5)

    assert client.get("units") == "5"


def test_a_host_that_swallows_packets_is_not_waited_for_any_longer_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storefront.core.redis.CONNECT_SECONDS", 60.0)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as host:
        in_line = [socket.socket() for _ in range(3)]  # Linux takes one more than it was asked to
        for one in in_line:
            one.setblocking(False)
            one.connect_ex(host.getsockname())
        client = connect(f"redis://127.0.0.1:{host.getsockname()[1]}")
        began = time.monotonic()

        with deadline(0.2), pytest.raises(redis.TimeoutError):
            client.ping()

        assert time.monotonic() - began < 30
        for one in in_line:
            one.close()
