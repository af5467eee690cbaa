"""Connections: one try per command, bounded in time, whatever the URL."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import redis

from storefront.core.config import Settings
from storefront.core.embedded_redis import EmbeddedRedis
from storefront.core.redis import connect, plain_url, redis_url, tls_options


class DeafServer:
    """Accepts connections and reads commands; never answers one that is not part of the handshake."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.incremented = 0
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.listener.getsockname()[1]}"

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._listen, args=(connection,), daemon=True).start()

    def _listen(self, connection: socket.socket) -> None:
        with connection:
            while words := connection.recv(4096):
                self.incremented += words.count(b"INCR")
                handshake = words.count(b"HELLO") + words.count(b"CLIENT")
                connection.sendall(b"%1\r\n+proto\r\n:3\r\n" * words.count(b"HELLO") + b"+OK\r\n" * (handshake - 1))


@pytest.fixture
def deaf() -> Iterator[DeafServer]:
    server = DeafServer()
    yield server
    server.listener.close()


def test_a_command_whose_answer_is_lost_is_sent_once(deaf: DeafServer) -> None:
    client = connect(deaf.url, socket_timeout=0.3)

    with pytest.raises(redis.RedisError):
        client.incr("units")
    time.sleep(0.3)

    assert deaf.incremented <= 1


def test_a_server_that_does_not_answer_costs_no_more_than_the_time_out(deaf: DeafServer) -> None:
    client = connect(deaf.url, socket_timeout=0.3)
    began = time.monotonic()

    with pytest.raises(redis.RedisError):
        client.incr("units")

    assert time.monotonic() - began < 1.5


def test_nothing_is_retried(tmp_path: Path) -> None:
    client = connect(f"unix://{tmp_path}/none.sock")

    retries = [client.get_retry(), cast(Any, client.connection_pool.make_connection()).retry]
    assert [retry.get_retries() for retry in retries if retry] == [0, 0]


def test_a_pool_that_is_used_up_refuses_after_a_second(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path) as server:
        client = connect(server.url, max_connections=1)
        held = client.connection_pool.get_connection()
        began = time.monotonic()

        with pytest.raises(redis.ConnectionError):
            client.ping()

        assert 0.9 < time.monotonic() - began < 10  # redis-py's own pools wait for 20
        client.connection_pool.release(held)
        assert client.ping()


def test_answers_are_text(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path) as server:
        client = connect(server.url)
        client.set("name", "shop")

        assert client.get("name") == "shop"


def test_valkey_urls_are_redis_urls() -> None:
    assert plain_url("valkey://host:1/2") == "redis://host:1/2"
    assert plain_url("valkeys://host") == "rediss://host"
    assert connect("valkey://host:1234/2").connection_pool.connection_kwargs["port"] == 1234


def test_only_heroku_may_show_a_self_signed_certificate() -> None:
    assert tls_options("rediss://host", {"DYNO": "web.1"})["ssl_cert_reqs"] == ssl.CERT_NONE
    assert tls_options("rediss://host", {}) == tls_options("redis://host", {"DYNO": "web.1"}) == {}
    connection = connect("rediss://host", environ={"DYNO": "web.1"}).connection_pool.make_connection()
    assert cast(Any, connection).cert_reqs == ssl.CERT_NONE


def test_a_url_from_the_settings_starts_nothing(tmp_path: Path) -> None:
    settings = cast(Settings, SimpleNamespace(redis_url="redis://elsewhere", data_dir=tmp_path))

    assert redis_url(settings) == "redis://elsewhere"
    assert not list(tmp_path.iterdir())
