"""Listening sockets: the wildcard kept to the loopback, and the ways out where that is refused."""

from __future__ import annotations

import asyncio
import json
import socket

import aiohttp
import pytest

from beskar7.runtime import LiveRuntime
from emulator.bmc import listen as listening_module
from emulator.bmc.fleet import Fleet
from emulator.bmc.listen import Listening, PortInUse, listen
from emulator.bmc.server import FleetServer
from emulator.bmc.spec import Credentials, FleetSpec

pytestmark = pytest.mark.e2e
ADDRESSES = ["127.20.1.1", "127.20.1.2", "127.20.1.3"]


def close(listening: Listening) -> None:
    for sock in listening.sockets:
        sock.close()


def vendors(listening: Listening) -> list[str]:
    """Who answers at each BMC's authority."""
    makers = ("dell", "hpe", "lenovo")
    spec = FleetSpec.from_dict(
        {
            "hosts": [
                {"name": f"h{i}", "address": address, "vendor": makers[i]}
                for i, address in enumerate(ADDRESSES)
            ],
            "scale": {"latency": 0},
        }
    )

    async def ask() -> list[str]:
        server = FleetServer(Fleet(spec, LiveRuntime(1), Credentials("a", "b")), listening)
        await server.start(None)
        found = []
        async with aiohttp.ClientSession() as session:
            for address in ADDRESSES:
                url = f"http://{listening.authorities[address]}/redfish/v1/"
                async with session.get(url) as answer:
                    found.append(json.loads(await answer.read())["Vendor"])
        await server.stop()
        return found

    return asyncio.run(ask())


EXPECTED = ["Dell Inc.", "HPE", "Lenovo"]


def test_one_socket_serves_all_where_the_system_allows_it() -> None:
    if not hasattr(socket, "SO_BINDTODEVICE"):
        pytest.skip("no SO_BINDTODEVICE here")
    listening = listen(ADDRESSES, 0)
    assert {a.partition(":")[2] for a in listening.authorities.values()} == {str(listening.port)}
    assert vendors(listening) == EXPECTED


def test_single_addresses_where_the_device_cannot_be_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listening_module, "LOOPBACK", b"no-such-device")
    listening = listen(ADDRESSES, 0)
    assert [sock.getsockname()[0] for sock in listening.sockets] == ADDRESSES
    assert vendors(listening) == EXPECTED


def test_a_port_each_where_there_is_one_address_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening_module, "_has_whole_loopback", lambda addresses: False)
    listening = listen(ADDRESSES, 0)
    assert {sock.getsockname()[0] for sock in listening.sockets} == {"127.0.0.1"}
    assert vendors(listening) == EXPECTED


@pytest.mark.parametrize("wildcard", [True, False])
def test_a_taken_port_is_named_and_nothing_stays_open(wildcard: bool) -> None:
    with socket.socket() as taken:
        taken.bind((ADDRESSES[1], 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PortInUse, match=f"port {port} is in use"):
            listen(ADDRESSES, port, wildcard=wildcard)
    listening = listen(ADDRESSES, port, wildcard=wildcard)
    assert listening.port == port
    close(listening)
