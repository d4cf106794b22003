"""Listening sockets that answer for every BMC's address, and for nobody outside this machine."""

from __future__ import annotations

import ctypes
import errno
import ipaddress
import socket
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass

BACKLOG = 4096
LOOPBACK = b"lo"
PORT_ATTEMPTS = 20
"""How often a free port is looked for that is free on every address."""


class PortInUse(OSError):
    """``args[0]`` says which address and port."""


@dataclass(frozen=True, slots=True)
class Listening:
    """Open sockets. ``authorities`` has ``host:port`` by BMC address.

    With one address a BMC, all share ``port`` and ``by_port`` is empty. On a system that has no
    more of 127.0.0.0/8 than 127.0.0.1, every BMC has a port: ``by_port`` says which address it
    stands for, and ``port`` is the first.
    """

    sockets: list[socket.socket]
    port: int
    authorities: dict[str, str]
    by_port: dict[int, str]


def listen(addresses: Sequence[str], port: int, *, wildcard: bool = True) -> Listening:
    """Listen for ``addresses`` (IPv4 loopback) on ``port`` (0: any).

    One ``wildcard`` socket tied to the loopback device where the system allows it; else one socket
    an address, so that the fleet is never reachable from outside.

    Raises:
        PortInUse: somebody listens there already.
    """
    if not _has_whole_loopback(addresses):
        return _one_port_each(addresses, port)
    sockets = (_wildcard(port) if wildcard else None) or _one_socket_each(addresses, port)
    bound: int = sockets[0].getsockname()[1]
    return Listening(sockets, bound, {addr: f"{addr}:{bound}" for addr in addresses}, {})


def shard_of(address: str, shards: int) -> int:
    """Which of the shards a BMC belongs to."""
    return int(ipaddress.IPv4Address(address)) % shards


def listen_in_shards(addresses: Sequence[str], port: int, shards: int) -> list[Listening]:
    """As :func:`listen`, for several processes: each accepts for the BMCs of its shard alone.

    Where the system can, each has one wildcard socket, and the kernel chooses among them by the
    address that is connected to. Else each has the sockets of its own addresses.

    Raises:
        PortInUse: somebody listens there already.
    """
    whole = _has_whole_loopback(addresses)
    group = _wildcard_group(port, shards) if whole else None
    if group is not None:
        bound: int = group[0].getsockname()[1]
        everywhere = {address: f"{address}:{bound}" for address in addresses}
        return [Listening([server], bound, everywhere, {}) for server in group]
    one = listen(addresses, port, wildcard=False)
    parts: list[list[socket.socket]] = [[] for _ in range(shards)]
    for server in one.sockets:
        address, bound = server.getsockname()[:2]
        parts[shard_of(one.by_port.get(bound, address), shards)].append(server)
    return [Listening(part, one.port, one.authorities, one.by_port) for part in parts]


def _wildcard_group(port: int, shards: int) -> list[socket.socket] | None:
    """None where the system cannot choose a socket by the address."""
    if sys.platform != "linux":
        return None
    # Alone in its group or not at all: SO_REUSEPORT would let two fleets share a port.
    first = _wildcard(port)
    if first is None:
        return None
    port = first[0].getsockname()[1]
    first[0].close()
    group: list[socket.socket] = []
    try:
        for _ in range(shards):
            server = _socket()
            group.append(server)
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            server.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, LOOPBACK)
            _bind(server, "0.0.0.0", port)  # noqa: S104  # tied to the loopback device above
        _choose_by_address(group[0], shards)
    except OSError as error:
        for server in group:
            server.close()
        if isinstance(error, PortInUse):
            raise
        return None
    return group


_SO_ATTACH_REUSEPORT_CBPF = 51
"""Of Linux' ``asm-generic/socket.h``; the socket module does not name it."""
_LOAD_WORD, _MODULO, _RETURN = 0x20, 0x94, 0x16
"""Classic BPF: ``A = packet[k:k+4]``, ``A %= k``, ``return A`` (``linux/bpf_common.h``)."""
_DESTINATION = 2**32 - 0x100000 + 16
"""``SKF_NET_OFF`` and the offset of the destination in an IPv4 header."""


def _choose_by_address(server: socket.socket, shards: int) -> None:
    """Let the kernel give each connection to the socket with the index ``address % shards``.

    Raises ``OSError`` where the kernel does not let it be chosen.
    """
    code = ((_LOAD_WORD, _DESTINATION), (_MODULO, shards), (_RETURN, 0))
    program = b"".join(struct.pack("=HBBI", opcode, 0, 0, k) for opcode, k in code)
    memory = ctypes.create_string_buffer(program)
    described = struct.pack("@HP", len(code), ctypes.addressof(memory))
    server.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_REUSEPORT_CBPF, described)


def _has_whole_loopback(addresses: Sequence[str]) -> bool:
    others = [address for address in addresses if address != "127.0.0.1"]
    if not others:
        return True
    with socket.socket() as probe:
        try:
            probe.bind((others[0], 0))
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                return False
            raise
    return True


def _wildcard(port: int) -> list[socket.socket] | None:
    """None where the socket cannot be kept to the loopback device."""
    bind_to_device = getattr(socket, "SO_BINDTODEVICE", None)
    if bind_to_device is None:
        return None
    server = _socket()
    try:
        server.setsockopt(socket.SOL_SOCKET, bind_to_device, LOOPBACK)
    except OSError:
        server.close()
        return None
    return [_bind(server, "0.0.0.0", port)]  # noqa: S104  # tied to the loopback device above


def _one_socket_each(addresses: Sequence[str], port: int) -> list[socket.socket]:
    for attempt in range(PORT_ATTEMPTS):
        sockets: list[socket.socket] = []
        try:
            for address in addresses:
                chosen = sockets[0].getsockname()[1] if sockets else port
                sockets.append(_bind(_socket(), address, chosen))
        except PortInUse:
            for opened in sockets:
                opened.close()
            if port or attempt == PORT_ATTEMPTS - 1:
                raise
        else:
            return sockets
    raise AssertionError("unreachable")


def _one_port_each(addresses: Sequence[str], port: int) -> Listening:
    sockets: list[socket.socket] = []
    authorities, by_port = {}, {}
    try:
        for index, address in enumerate(addresses):
            server = _bind(_socket(), "127.0.0.1", port + index if port else 0)
            sockets.append(server)
            chosen = server.getsockname()[1]
            authorities[address] = f"127.0.0.1:{chosen}"
            by_port[chosen] = address
    except OSError:
        for opened in sockets:
            opened.close()
        raise
    return Listening(sockets, sockets[0].getsockname()[1], authorities, by_port)


def _socket() -> socket.socket:
    server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.setblocking(False)
    return server


def _bind(server: socket.socket, address: str, port: int) -> socket.socket:
    try:
        server.bind((address, port))
        server.listen(BACKLOG)
    except OSError as error:
        server.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(f"{address} port {port} is in use") from None
        raise
    return server
