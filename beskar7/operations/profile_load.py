"""The load of ``beskar7 profile``: machines of this run alone, followed by watch and taken away."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field

from beskar7.api import conditions
from beskar7.api.errors import ApiError, NotFound
from beskar7.api.kinds import BESKAR7_MACHINE, PHYSICAL_HOST, Kind
from beskar7.api.objects import Object
from beskar7.api.resources import Beskar7Machine, PhysicalHost
from beskar7.api.states import HostState
from beskar7.kube.backoff import Backoff, Exponential
from beskar7.operations.cluster import Cluster

RUN_LABEL = "beskar7.io/profile-run"
"""On each machine of a run; its value is the run's."""
CLAIMED_BY = "beskar7.io/claimed-by"
"""On a host: the machine that claimed it last, as namespace/name."""
AGAIN = Exponential(0.2, 3.0)
"""Seconds between tries of an API server that fails."""
WATCH = 30.0
"""Seconds of one watch, after which is listed again."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What each machine asks for; ``run`` marks them all."""

    run: str
    namespace: str
    image_url: str
    os_family: str

    def machine(self, number: int) -> Object:
        """The ``number``-th machine, from 1."""
        return {
            "apiVersion": BESKAR7_MACHINE.api_version,
            "kind": BESKAR7_MACHINE.kind,
            "metadata": {
                "namespace": self.namespace,
                "name": f"profile-{self.run}-{number:03d}",
                "labels": {RUN_LABEL: self.run},
            },
            "spec": {"imageURL": self.image_url, "osFamily": self.os_family},
        }


@dataclass(slots=True)
class Followed:
    """One machine of the run; times are ``runtime.now()``, as this side learned of it."""

    name: str
    uid: str
    created: float
    claimed: float | None = None
    provisioned: float | None = None
    failure: str = ""
    waits_for_owner: bool = False
    gone: bool = False

    @property
    def settled(self) -> bool:
        return self.provisioned is not None or bool(self.failure)


@dataclass(slots=True)
class Load:
    """The machines of one run. Only one task uses it."""

    cluster: Cluster
    wish: Wish
    machines: dict[str, Followed] = field(default_factory=dict)

    def create(self, count: int) -> None:
        """Raises an ApiError; what was created until then is followed."""
        for number in range(1, count + 1):
            now = self.cluster.runtime.now()
            made = self.cluster.kube.create(BESKAR7_MACHINE, self.wish.machine(number))
            self._know(Beskar7Machine(made), now)

    def follow(self, enough: Callable[[], bool], until: float) -> bool:
        """Take in what becomes of the machines until ``enough``; False: ``until`` came first."""
        selector = f"{RUN_LABEL}={self.wish.run}"
        return _follow(
            *(self.cluster, BESKAR7_MACHINE, self.wish.namespace, selector),
            *(self._listed, self._see, enough, until),
        )

    def delete(self) -> None:
        """Ask all machines of the run to go, also those whose creation was answered to nobody.

        Raises an ApiError; it may be called again.
        """
        kube, namespace = self.cluster.kube, self.wish.namespace
        selector = f"{RUN_LABEL}={self.wish.run}"
        self._listed(kube.list(BESKAR7_MACHINE, namespace, label_selector=selector).items)
        for machine in self.machines.values():
            if machine.gone:
                continue
            try:
                kube.delete(BESKAR7_MACHINE, namespace, machine.name, uid=machine.uid)
            except NotFound:
                machine.gone = True

    @property
    def all_settled(self) -> bool:
        return all(machine.settled for machine in self.machines.values())

    @property
    def all_gone(self) -> bool:
        return all(machine.gone for machine in self.machines.values())

    def await_hosts(self, until: float) -> list[str]:
        """Wait until the hosts that were claimed are Available; who is not when time is over.

        Told by the hosts themselves: a machine that goes may never have said which it had got.
        """
        ours = {f"{self.wish.namespace}/{machine.name}" for machine in self.machines.values()}
        left: dict[str, str] = {}

        def see(type: str, raw: Object) -> None:
            host = PhysicalHost(raw)
            wanted = host.annotations.get(CLAIMED_BY) in ours
            back = host.state is HostState.AVAILABLE and host.consumer is None
            if wanted and not back and type != "DELETED":
                left[host.name] = host.state.value or "not enrolled"
            else:
                left.pop(host.name, None)

        def listed(items: list[Object]) -> None:
            for raw in items:
                see("MODIFIED", raw)

        _follow(
            *(self.cluster, PHYSICAL_HOST, self.wish.namespace, None),
            *(listed, see, lambda: not left, until),
        )
        return [f"{name} ({state})" for name, state in sorted(left.items())]

    def _know(self, machine: Beskar7Machine, now: float) -> None:
        self.machines.setdefault(machine.uid, Followed(machine.name, machine.uid, now))

    def _listed(self, items: list[Object]) -> None:
        there = [Beskar7Machine(raw) for raw in items]
        now = self.cluster.runtime.now()
        for machine in there:
            self._know(machine, now)
            self._see("MODIFIED", machine.raw)
        uids = {machine.uid for machine in there}
        for uid, known in self.machines.items():
            known.gone = known.gone or uid not in uids

    def _see(self, type: str, raw: Object) -> None:
        machine = Beskar7Machine(raw)
        known = self.machines.get(machine.uid)
        if known is None:
            return
        if type == "DELETED":
            known.gone = True
            return
        now = self.cluster.runtime.now()
        if machine.host_name and known.claimed is None:
            known.claimed = now
        if machine.phase == "Provisioned" and known.provisioned is None:
            known.provisioned = now
        failed = machine.phase == "Failed"
        known.failure = str(machine.status.get("failureReason") or "failed") if failed else ""
        ready = conditions.get_condition(machine.status, conditions.INFRASTRUCTURE_READY) or {}
        known.waits_for_owner = ready.get("reason") == "WaitingForOwnerMachine"


def _follow(
    cluster: Cluster,
    kind: Kind,
    namespace: str,
    selector: str | None,
    listed: Callable[[list[Object]], None],
    see: Callable[[str, Object], None],
    enough: Callable[[], bool],
    until: float,
) -> bool:
    """List, then watch, and again; an API server that fails is asked again until the end."""
    kube, runtime = cluster.kube, cluster.runtime
    backoff = Backoff(AGAIN, runtime.rng("operations-profile"))
    while True:
        left = until - runtime.now()
        try:
            found = kube.list(kind, namespace, label_selector=selector)
            listed(found.items)
            if enough():
                return True
            if left <= 0:
                return False
            events = kube.watch(
                kind,
                namespace,
                resource_version=found.resource_version,
                timeout=min(left, WATCH),
                label_selector=selector,
            )
            with closing(events) as following:  # type: ignore[type-var] # generators can be closed
                for event in following:
                    if event.type in ("ADDED", "MODIFIED", "DELETED"):
                        see(event.type, event.object)
                    if enough():
                        return True
                    if runtime.now() >= until:
                        break
            backoff.reset()
        except ApiError:
            if left <= 0:
                return False
            runtime.sleep(min(left, backoff.next()))
