"""A small world in virtual time, for tests that drive it themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from beskar7.api.kinds import BESKAR7_MACHINE, EVENT, LEASE, PHYSICAL_HOST
from beskar7.manager import Manager
from beskar7.runtime.virtual import VirtualProcess
from scenarios.engine.evidence import Evidence
from scenarios.engine.expand import machine
from scenarios.engine.invariants import Rules
from scenarios.engine.invariants.ownership import single_owner
from scenarios.engine.invariants.verdict import Violation
from scenarios.engine.loader import loads
from scenarios.engine.virtual import VirtualWorld, run_virtual

T = TypeVar("T")

CLAIM_COORDINATOR = {
    "enable-claim-coordinator-leader-election": "true",
    "claim-coordinator-lease-duration": "4s",
    "claim-coordinator-renew-deadline": "3s",
    "claim-coordinator-retry-period": "500ms",
    "leader-elect-lease-duration": "4s",
    "leader-elect-renew-deadline": "3s",
    "leader-elect-retry-period": "500ms",
}
"""Manager flags: claims are handed over; fail-overs in seconds."""

TEMPLATE = """
name: small
world:
  hosts: {{count: {hosts}, vendors: {vendors}, scale: {{boot: {boot}, latency: 1}}}}
  managers: {{replicas: {managers}, args: {args}}}
  config: {config}
load: {{machines: 1}}
"""


class Driver:
    """The world with words for what tests do and wait for."""

    def __init__(self, world: VirtualWorld) -> None:
        self.world = world
        self.kube = world.kube
        self.runtime = world.runtime

    def create_machines(self, count: int, start: int = 1) -> None:
        for number in range(start, start + count):
            self.kube.create(BESKAR7_MACHINE, machine(self.world._scenario.load, number))

    def create_machine(self, name: str, **wish: Any) -> None:
        """A machine with these ``hostRequirements``."""
        body = machine(self.world._scenario.load, 1)
        body["metadata"]["name"] = name
        if wish:
            body["spec"]["hostRequirements"] = wish
        self.kube.create(BESKAR7_MACHINE, body)

    def add_machine(
        self, name: str, *, labels: dict[str, str] | None = None, **spec: Any
    ) -> dict[str, Any]:
        wanted = machine(self.world._scenario.load, 1)
        wanted["metadata"].update(name=name, labels=labels or {})
        wanted["spec"].update(spec)
        return self.kube.create(BESKAR7_MACHINE, wanted)

    def host_of(self, name: str) -> dict[str, Any]:
        """The host that machine ``name`` owns."""
        return next(
            host
            for host in self.hosts().values()
            if host["spec"].get("consumerRef", {}).get("name") == name
        )

    def condition(self, obj: dict[str, Any], type: str) -> dict[str, Any]:
        found = obj.get("status", {}).get("conditions", [])
        return next((item for item in found if item["type"] == type), {})

    def hosts(self) -> dict[str, dict[str, Any]]:
        return {item["metadata"]["name"]: item for item in self.kube.list(PHYSICAL_HOST).items}

    def machines(self) -> dict[str, dict[str, Any]]:
        return {item["metadata"]["name"]: item for item in self.kube.list(BESKAR7_MACHINE).items}

    def states(self) -> list[str]:
        return sorted(host.get("status", {}).get("state", "") for host in self.hosts().values())

    def phases(self) -> list[str]:
        found = self.machines().values()
        return sorted(item.get("status", {}).get("phase", "") for item in found)

    def events(self, reason: str) -> list[dict[str, Any]]:
        return [item for item in self.kube.list(EVENT).items if item["reason"] == reason]

    def holder(self, lease: str) -> str:
        """The manager that holds a lease, "" for nobody."""
        spec = self.kube.get(LEASE, "beskar7-system", lease)["spec"]
        return str(spec.get("holderIdentity") or "")

    def manager(self, identity: str) -> tuple[VirtualProcess, Manager]:
        return self.world._managers[identity]

    def without_admission(self) -> None:
        """As in a cluster whose webhooks are not installed: the controller has to cope alone."""
        self.world.store.webhooks.clear()

    def owners(self) -> dict[str, str]:
        """Machine by host."""
        owned = {}
        for name, host in self.hosts().items():
            if host["spec"].get("consumerRef"):
                owned[name] = host["spec"]["consumerRef"]["name"]
        return owned

    def two_owners(self) -> list[Violation]:
        """What single-owner finds in all that was written so far."""
        evidence = Evidence(self.world._scenario, "virtual", 0)
        evidence.add_writes(self.world.writes(0)[0])
        judged = single_owner(evidence, Rules())
        assert judged.cases, "nothing was claimed, so nothing was judged"
        return judged.violations

    def until(self, holds: Callable[[], bool], what: str, limit: float = 600.0) -> float:
        """Virtual seconds until ``holds``; fails after ``limit``."""
        start = self.runtime.now()
        while not holds():
            if self.runtime.now() - start > limit:
                pytest.fail(f"after {limit:g}s not yet {what}: {self.states()}, {self.phases()}")
            self.runtime.sleep(0.25)
        return self.runtime.now() - start


@pytest.fixture
def claim_coordinator() -> dict[str, str]:
    return CLAIM_COORDINATOR


@pytest.fixture
def in_world() -> Callable[..., Any]:
    """Runs ``body(driver)`` in a world whose hosts are all Available."""

    def run(
        body: Callable[[Driver], T],
        *,
        hosts: int = 4,
        managers: int = 1,
        config: dict[str, str] | None = None,
        args: dict[str, str] | None = None,
        seed: int = 3,
        boot: float = 0.02,
        vendors: str = "{dell: 1}",
    ) -> T:
        text = TEMPLATE.format(
            hosts=hosts,
            managers=managers,
            config=config or {},
            args=args or {},
            boot=boot,
            vendors=vendors,
        )

        def main(world: Any) -> T:
            world.start()
            driver = Driver(world)
            driver.until(lambda: set(driver.states()) == {"Available"}, "enrolled")
            return body(driver)

        return run_virtual(loads(text), seed, main)

    return run
