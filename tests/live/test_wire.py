"""Straight writes: over real sockets and eventlet's own WebSockets, of which one end may be slow to read."""

import logging
import socket
from collections.abc import Iterator

import eventlet
import pytest
from engineio.packet import MESSAGE, PING, Packet
from eventlet.greenio import GreenSocket
from eventlet.websocket import RFC6455WebSocket
from flask import Flask
from flask_socketio import SocketIO

from storefront.live import wire
from storefront.live.counts import counts
from storefront.live.wire import MOST_WAITING, Wire, frame_of

SMALL_BYTES = 4096  # of the connection's buffer
LONG = "x" * 1_000_000


class Line:
    """A WebSocket with both its ends; the server's has a wire."""

    def __init__(self) -> None:
        near, far = socket.socketpair()
        near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL_BYTES)
        self.near = RFC6455WebSocket(GreenSocket(near), {})
        self.far = RFC6455WebSocket(GreenSocket(far), {}, client=True)
        self.wire = Wire(self.near, eventlet.spawn)

    def read(self, messages: int) -> list[str]:
        with eventlet.Timeout(5):
            return [self.far.wait() for _ in range(messages)]

    def read_until(self, last: str) -> list[str]:
        """Everything up to the message `last`."""
        read: list[str] = []
        with eventlet.Timeout(5):
            while last not in read[-1:]:
                read.append(self.far.wait())
        return read

    def close(self) -> None:
        for end in (self.near, self.far):
            end.socket.close()


@pytest.fixture
def line() -> Iterator[Line]:
    """A connection that takes little at a time."""
    line = Line()
    yield line
    line.close()


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65_535, 65_536, 100_000])
def test_a_frame_is_what_the_library_would_have_sent(line: Line, length: int) -> None:
    assert frame_of("x" * length) == line.near._pack_message("x" * length)
    assert frame_of(b"x" * length) == line.near._pack_message(b"x" * length)


def test_what_the_connection_takes_is_written_before_anybody_else_runs(line: Line) -> None:
    line.wire.offer("MUG", frame_of("five left"))

    assert line.far.socket.fd.recv(100) == frame_of("five left")


def test_who_reads_late_gets_the_newest_of_each_key_and_not_the_history(line: Line) -> None:
    for number in range(2_000):
        line.wire.offer("MUG", frame_of(f"MUG {number}"))
        line.wire.offer("CAP", frame_of(f"CAP {number}"))

    read = line.read_until("CAP 1999")

    assert "MUG 1999" in read
    assert len(read) < 1_000
    assert [message for message in read if message.startswith("MUG")] == sorted(
        {message for message in read if message.startswith("MUG")}, key=lambda message: int(message[4:])
    )


def test_a_slow_reader_that_has_caught_up_is_written_to_at_once_again(line: Line) -> None:
    line.wire.offer("MUG", frame_of(LONG))
    line.read(1)
    eventlet.sleep(0)

    line.wire.offer("MUG", frame_of("again"))

    assert line.far.socket.fd.recv(100) == frame_of("again")


def test_nothing_comes_between_the_halves_of_a_frame(line: Line) -> None:
    control = eventlet.spawn(line.near.send, b"beat", control_code=0xA)
    line.wire.offer("MUG", frame_of(LONG))
    line.wire.put(Packet(MESSAGE, "answer"))
    line.wire.offer("MUG", frame_of("newer"))

    read = line.read(3)
    control.wait()

    assert read[0] == LONG
    assert read[1:] == ["4answer", "newer"]


def test_packets_of_the_library_all_come_in_their_order(line: Line) -> None:
    line.wire.offer("MUG", frame_of(LONG))
    for number in range(100):
        line.wire.put(Packet(MESSAGE, str(number)))

    assert line.read(101)[1:] == [f"4{number}" for number in range(100)]


def test_a_client_that_takes_no_packet_at_all_is_cut_and_counted(line: Line) -> None:
    before = counts["cut_reads_nothing"]
    line.wire.offer("MUG", frame_of(LONG))
    for _ in range(MOST_WAITING):
        line.wire.put(Packet(PING))

    with eventlet.Timeout(5):
        assert line.near.wait() is None
    assert counts["cut_reads_nothing"] == before + 1


def test_a_client_that_takes_nothing_for_the_length_of_its_time_out_is_cut(line: Line) -> None:
    line.near.socket.settimeout(0.2)

    line.wire.offer("MUG", frame_of(LONG))
    eventlet.sleep(0.4)

    line.near.socket.settimeout(5)
    assert line.near.wait() is None


def test_closing_sends_what_waits_and_then_goodbye(line: Line) -> None:
    line.wire.offer("MUG", frame_of(LONG))
    line.wire.put(Packet(MESSAGE, "last"))
    line.wire.put(None)

    assert line.read(3) == [LONG, "4last", None]


def test_a_client_that_has_gone_is_written_to_in_vain_and_without_harm(line: Line) -> None:
    line.far.socket.close()

    for _ in range(3):
        line.wire.offer("MUG", frame_of("gone"))
        line.wire.put(Packet(PING))


def test_where_the_library_is_not_as_it_was_tested_messages_go_its_own_way(
    app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        laid = wire.lay(SocketIO(app, async_mode="threading"))

    assert not laid
    assert "nothing is known of straight writes under threading" in caplog.text


def test_a_version_nobody_has_tested_is_not_leant_on(
    app: Flask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(wire.PROVEN, "python-engineio", "4.14.")

    with caplog.at_level(logging.WARNING):
        laid = wire.lay(SocketIO(app, async_mode="eventlet"))

    assert not laid
    assert "python-engineio 4.15.1 is not 4.14.*" in caplog.text
