"""Everybody who connects to Redis reads its URL alike: the stock, the queue, Socket.IO, the dashboard."""

import ssl
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from storefront.core.redis import connect
from storefront.live.rooms import message_queue
from storefront.ops import rq_dashboard as dashboard
from workers.queues import open_queue


def socket_io(url: str) -> Any:
    manager = message_queue(url)
    manager._redis_connect()
    return manager.redis


def of_dashboard(url: str) -> Any:
    app = Flask("operators")
    dashboard.mount(app, url)
    return app.redis_conn  # type: ignore[attr-defined]


CLIENTS: list[Callable[[str], Any]] = [connect, lambda url: open_queue(url)[0], socket_io, of_dashboard]


def options(client: Any) -> dict[str, Any]:
    return client.connection_pool.connection_kwargs


@pytest.mark.parametrize("client", CLIENTS, ids=["stock", "queue", "socket.io", "dashboard"])
def test_valkey_is_redis(client: Callable[[str], Any]) -> None:
    assert options(client("valkey://host:1234/2"))["port"] == 1234


@pytest.mark.parametrize("client", CLIENTS, ids=["stock", "queue", "socket.io", "dashboard"])
def test_on_heroku_a_self_signed_certificate_is_taken_and_nowhere_else(
    client: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DYNO", raising=False)
    elsewhere = options(client("rediss://host"))
    monkeypatch.setenv("DYNO", "web.1")
    on_heroku = options(client("rediss://host"))

    assert "ssl_cert_reqs" not in elsewhere
    assert on_heroku["ssl_cert_reqs"] in (ssl.CERT_NONE, "none")
    assert on_heroku["ssl_check_hostname"] is False


@pytest.mark.parametrize("client", CLIENTS[1:], ids=["queue", "socket.io", "dashboard"])
def test_nobody_waits_without_limit(client: Callable[[str], Any]) -> None:
    assert options(client("redis://host"))["socket_timeout"] <= 5
    assert options(client("redis://host"))["socket_connect_timeout"] <= 2
