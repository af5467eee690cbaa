"""Addresses: where a host name leads, and whether that is the public internet."""

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from queue import Empty, SimpleQueue
from threading import Thread

Address = IPv4Address | IPv6Address

NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address


class Unresolved(Exception):
    """A host name leads nowhere, or the name server takes too long to say where."""


def resolve(host: str, port: int, seconds: float) -> list[Address]:
    """The addresses of a host. Raises Unresolved.

    The resolver of the C library cannot be told how long it may take, so it is asked in a thread that is left alone.
    """
    answer: SimpleQueue[list[Address] | Exception] = SimpleQueue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answer.put([ip_address(one[4][0]) for one in found])
        except (OSError, ValueError) as error:  # a UnicodeError, where the name is no name, is a ValueError
            answer.put(error)

    Thread(target=ask, name=f"resolve {host}", daemon=True).start()
    try:
        told = answer.get(timeout=max(0.0, seconds))
    except Empty:
        raise Unresolved(f"no name server has said within {seconds:.1f} s where {host} is") from None
    if isinstance(told, Exception):
        raise Unresolved(f"{host}: {told}") from told
    return told


def is_public(address: Address) -> bool:
    """Whether an address is one of the public internet, however it is written."""
    real = real_address(address)
    odd = real.is_multicast or real.is_reserved or (isinstance(real, IPv6Address) and real.is_site_local)
    return real.is_global and not odd


def real_address(address: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for (mapped, NAT64, 6to4, Teredo); any other as it is."""
    if isinstance(address, IPv4Address):
        return address
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else address)
