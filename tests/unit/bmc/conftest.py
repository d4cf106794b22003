"""What the fleet's unit tests share: a fleet in virtual time, and a bare Redfish client for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from beskar7.runtime import VirtualRuntime
from emulator.bmc.bmc import Bmc
from emulator.bmc.fleet import Fleet
from emulator.bmc.log import BmcEvent
from emulator.bmc.redfish import Request, Response
from emulator.bmc.shape import media_place
from emulator.bmc.spec import Credentials, FleetSpec

CREDENTIALS = Credentials("admin", "correct horse")


def make_fleet(
    runtime: VirtualRuntime,
    hosts: int = 4,
    scale: dict[str, float] | None = None,
    vendors: tuple[str, ...] = ("dell", "hpe", "lenovo", "supermicro"),
    firmware: str | None = None,
    **spec: Any,
) -> Fleet:
    """A fleet of hosts ``host-001``... at 127.10.0.1..., in racks of two, vendors in turn."""
    entries = [
        {
            "name": f"host-{i + 1:03d}",
            "address": f"127.10.0.{i + 1}",
            "vendor": vendors[i % len(vendors)],
            "rack": f"rack-{i // 2}",
            "labels": {"parity": "odd" if i % 2 else "even"},
            **({"firmware": firmware} if firmware else {}),
        }
        for i in range(hosts)
    ]
    data = {"seed": 7, "hosts": entries, "scale": scale or {"latency": 0}, **spec}
    return Fleet(FleetSpec.from_dict(data), runtime, CREDENTIALS)


class Client:
    """Redfish requests to one BMC that take no time, for tests inside a virtual run."""

    def __init__(self, fleet: Fleet, name: str = "host-001") -> None:
        self.fleet = fleet
        self.bmc: Bmc = fleet.bmcs[name]
        self.system = f"/redfish/v1/Systems/{self.bmc.system_id}"
        self.manager = f"/redfish/v1/Managers/{self.bmc.manager_id}"
        self.media = media_place(self.bmc)
        self.disc = self.bmc.personality.ways(1.0).optical[0]
        self.headers = {"Authorization": f"Basic {self.bmc.token.decode()}"}

    def call(self, method: str, path: str, body: object = None) -> Response:
        raw = b"" if body is None else body if isinstance(body, bytes) else orjson.dumps(body)
        path, _, query = path.partition("?")
        request = Request(method, path, self.headers, raw, query)
        plan = self.fleet.admit(self.bmc, request)
        answer = self.fleet.perform(self.bmc, request)
        self.fleet.finish(self.bmc, request, plan, answer, answer)
        return answer

    def get(self, path: str) -> dict[str, Any]:
        answer = self.call("GET", path)
        assert answer.status == 200, answer
        found: dict[str, Any] = orjson.loads(answer.body)
        return found

    def reset(self, kind: str) -> int:
        path = f"{self.system}/Actions/ComputerSystem.Reset"
        return self.call("POST", path, {"ResetType": kind}).status

    def boot(self, **boot: Any) -> int:
        return self.call("PATCH", self.system, {"Boot": boot}).status

    def insert(self, image: str, device: str = "") -> int:
        path = f"{self.media}/{device or self.disc}/Actions/VirtualMedia.InsertMedia"
        return self.call("POST", path, {"Image": image}).status

    def eject(self, device: str = "") -> int:
        path = f"{self.media}/{device or self.disc}/Actions/VirtualMedia.EjectMedia"
        return self.call("POST", path, {}).status

    def events(self) -> list[BmcEvent]:
        return [e for e in self.fleet.log().events if e.host == self.bmc.name]


@pytest.fixture
def virtual() -> VirtualRuntime:
    return VirtualRuntime(seed=7)


@pytest.fixture
def run(virtual: VirtualRuntime) -> Callable[..., Any]:
    """Run a function as the main task of the virtual world."""
    return virtual.run


@pytest.fixture
def fleet(virtual: VirtualRuntime) -> Fleet:
    return make_fleet(virtual)


@pytest.fixture
def fleet_of(virtual: VirtualRuntime) -> Callable[..., Fleet]:
    return lambda *args, **kwargs: make_fleet(virtual, *args, **kwargs)


@pytest.fixture
def client(fleet: Fleet) -> Client:
    return Client(fleet)


@pytest.fixture(scope="session")
def in_a_world() -> Callable[..., None]:
    """Run a function of a client in a new fleet of its own; for generated tests."""

    def begin(body: Callable[[Client], None], **spec: Any) -> None:
        runtime = VirtualRuntime(seed=7)
        fleet = make_fleet(runtime, **spec)
        runtime.run(lambda: body(Client(fleet)))

    return begin


@pytest.fixture
def quirky(virtual: VirtualRuntime, tmp_path: Path) -> Callable[..., Client]:
    """A client of a BMC whose personality is the generic one with the YAML given over it."""

    def make(text: str, base: str = "generic", **spec: Any) -> Client:
        file = tmp_path / "odd.yaml"
        file.write_text(f"extends: {base}\n{text}\n")
        return Client(make_fleet(virtual, 1, vendors=("odd",), personalities=[str(file)], **spec))

    return make
