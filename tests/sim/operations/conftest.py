"""An installation in virtual time, its managers pods of their Deployment, and its operators."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import pytest

from beskar7.api.errors import NotFound
from beskar7.api.kinds import (
    BESKAR7_MACHINE,
    CONFIG_MAP,
    DEPLOYMENT,
    LEASE,
    PHYSICAL_HOST,
    POD,
    Kind,
)
from beskar7.manifests.objects import NAME
from beskar7.manifests.rights import NAMESPACE
from beskar7.operations.recover.journal import NAME as JOURNAL
from beskar7.runtime.virtual import VirtualProcess
from emulator.kube.inprocess import InProcessKube
from scenarios.engine.expand import machine
from scenarios.engine.loader import loads
from scenarios.engine.virtual import VirtualWorld, run_virtual

T = TypeVar("T")

WORLD = """
name: emergency
world:
  hosts: {{count: {hosts}, vendors: {{dell: 1}}, scale: {{boot: 0.02, latency: 1}}}}
  managers:
    replicas: {replicas}
    deployed: true
    args: {args}
  config: {config}
load: {{machines: 1}}
"""
FAST = {
    "leader-elect-lease-duration": "4s",
    "leader-elect-renew-deadline": "3s",
    "leader-elect-retry-period": "500ms",
}


class OperatorsCluster:
    """The cluster as one process of an operator sees it: it ends when that is killed."""

    namespace = NAMESPACE

    def __init__(self, world: VirtualWorld, process: VirtualProcess, **hooks: Any) -> None:
        self.runtime = process
        self.kube = InProcessKube(
            world.store,
            process,
            client=f"operator/{process.name}",
            faults=world.api_faults,
            **hooks,
        )
        self._seen = world.cluster()

    def metrics(self) -> Mapping[str, str]:
        return self._seen.metrics()

    def logs(self, seconds: float) -> Any:
        return self._seen.logs(seconds)

    def usage(self) -> Any:
        return self._seen.usage()

    def profiles(self) -> Any:
        return self._seen.profiles()


class Desk:
    """Where operators work; with words for what tests do and see."""

    def __init__(self, world: VirtualWorld) -> None:
        self.world = world
        self.kube = world.kube
        self.runtime = world.runtime
        self._operators = 0

    def process(self) -> VirtualProcess:
        self._operators += 1
        return self.world._virtual.group(f"operator-{self._operators}")

    def cluster(self, process: VirtualProcess | None = None, **hooks: Any) -> OperatorsCluster:
        return OperatorsCluster(self.world, process or self.process(), **hooks)

    def dies_at(self, number: int, run: Callable[[OperatorsCluster], Any]) -> bool:
        """``run`` by an operator that dies with the answer to its write of this number.

        False when it made fewer writes.
        """
        process = self.process()
        left = number

        def after(verb: str, kind: Kind, namespace: str, name: str) -> None:
            nonlocal left
            left -= verb not in ("get", "list", "watch")
            if left == 0:
                process.kill()
                process.sleep(0.0)  # raises: it goes no further

        task = process.spawn(run, self.cluster(process, after=after), name="run")
        task.join()
        return not process.alive

    def deployment(self) -> dict[str, Any]:
        return self.kube.get(DEPLOYMENT, NAMESPACE, NAME)

    def replicas(self) -> int:
        return int(self.deployment()["spec"]["replicas"])

    def scale(self, replicas: int) -> None:
        self.kube.patch(DEPLOYMENT, NAMESPACE, NAME, {"spec": {"replicas": replicas}})

    def args(self) -> list[str]:
        return list(self.deployment()["spec"]["template"]["spec"]["containers"][0]["args"])

    def add_arg(self, arg: str) -> None:
        path = "/spec/template/spec/containers/0/args/-"
        patch = [{"op": "add", "path": path, "value": arg}]
        self.kube.patch(DEPLOYMENT, NAMESPACE, NAME, patch, type="json")

    def pods(self) -> list[str]:
        return sorted(pod["metadata"]["name"] for pod in self.kube.list(POD, NAMESPACE).items)

    def leaders(self) -> list[str]:
        texts = self.world.cluster().metrics()
        return [pod for pod, text in texts.items() if f'identity="{pod}"}} 1.0' in leads(text)]

    def holder(self, lease: str = NAME) -> str:
        try:
            spec = self.kube.get(LEASE, NAMESPACE, lease)["spec"]
        except NotFound:
            return ""
        return str(spec.get("holderIdentity") or "")

    def config(self) -> dict[str, str] | None:
        try:
            return dict(self.kube.get(CONFIG_MAP, NAMESPACE, "beskar7-config").get("data") or {})
        except NotFound:
            return None

    def configure(self, **values: str | None) -> None:
        data = {key.replace("__", "."): value for key, value in values.items()}
        self.kube.patch(CONFIG_MAP, NAMESPACE, "beskar7-config", {"data": data})

    def journal(self) -> dict[str, Any] | None:
        try:
            return self.kube.get(CONFIG_MAP, NAMESPACE, JOURNAL)
        except NotFound:
            return None

    def create_machines(self, count: int) -> None:
        for number in range(1, count + 1):
            self.kube.create(BESKAR7_MACHINE, machine(self.world._scenario.load, number))

    def add_machine(self, name: str) -> None:
        wanted = machine(self.world._scenario.load, 1)
        wanted["metadata"]["name"] = name
        self.kube.create(BESKAR7_MACHINE, wanted)

    def owners(self) -> dict[str, str]:
        """The machine that owns each host, by name; "" for none."""
        hosts = self.kube.list(PHYSICAL_HOST).items
        return {
            host["metadata"]["name"]: host["spec"].get("consumerRef", {}).get("name", "")
            for host in hosts
        }

    def host(self, name: str) -> dict[str, Any]:
        return self.kube.get(PHYSICAL_HOST, "default", name)

    def states(self) -> list[str]:
        hosts = self.kube.list(PHYSICAL_HOST).items
        return [host.get("status", {}).get("state", "") for host in hosts]

    def phases(self) -> list[str]:
        machines = self.kube.list(BESKAR7_MACHINE).items
        return [each.get("status", {}).get("phase", "") for each in machines]

    def written(self) -> list[str]:
        """Operators' writes so far: verb and object."""
        return [
            f"{record.verb} {record.kind} {record.name}"
            for record in self.world.writes(0)[0]
            if record.client.startswith("operator/")
        ]

    def until(self, holds: Callable[[], bool], what: str, limit: float = 300.0) -> float:
        start = self.runtime.now()
        while not holds():
            if self.runtime.now() - start > limit:
                pytest.fail(f"after {limit:g}s not yet {what}: {self.states()}, {self.pods()}")
            self.runtime.sleep(0.25)
        return self.runtime.now() - start


def leads(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if line.startswith("beskar7_leader{"))


@pytest.fixture
def at_desk() -> Callable[..., Any]:
    """Runs ``body(desk)`` in an installation whose hosts are all Available."""

    def run(
        body: Callable[[Desk], T],
        *,
        hosts: int = 3,
        replicas: int = 3,
        args: dict[str, str] | None = None,
        config: dict[str, str] | None = None,
        seed: int = 5,
    ) -> T:
        text = WORLD.format(
            hosts=hosts, replicas=replicas, args=FAST | (args or {}), config=config or {}
        )

        def main(world: Any) -> T:
            world.start()
            try:
                desk = Desk(world)
                desk.until(lambda: set(desk.states()) == {"Available"}, "enrolled")
                return body(desk)
            finally:
                world.stop()

        return run_virtual(loads(text), seed, main)

    return run
