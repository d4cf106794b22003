"""A lab: a Kubernetes API, a fleet of BMCs and managers, for one test or many, on either clock."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from beskar7.api.errors import ApiError
from beskar7.api.kinds import BESKAR7_MACHINE, PHYSICAL_HOST
from beskar7.kube.port import Kube
from beskar7.runtime import Runtime
from beskar7_harness.chronicle import Chronicle
from beskar7_harness.clocks import DrivenKube
from beskar7_harness.errors import LabError, NotReached, PromiseBroken
from beskar7_harness.faults import Faults
from beskar7_harness.fleet import Fleet
from beskar7_harness.handles import Host, Machine
from beskar7_harness.managers import Managers
from beskar7_harness.places import place
from beskar7_harness.settings import LabSettings, settings
from beskar7_harness.waiting import Condition, Wait, Wanted
from scenarios.engine.evidence import Evidence, Incident
from scenarios.engine.expand import machine_spec
from scenarios.engine.schema import Configure, Variant
from scenarios.engine.world import WorldError

ENROL_TIMEOUT = 60.0
RESET_TIMEOUT = 30.0
"""Seconds of the lab's clock; a host is given back in a few."""
TIMEOUT = 60.0
"""Seconds that a wait may take unless it says otherwise."""
MAX_MACHINES = 10_000


class Lab:
    """What tests have in their hands. Times are seconds of the lab's clock.

    ``namespace`` is that of its hosts and machines. ``seed`` decides every drawn number; in
    virtual time also every interleaving, so that one seed is one run.
    """

    def __init__(self, chosen: LabSettings) -> None:
        """Raises LabError."""
        self.settings = chosen
        self.clock, self.seed = chosen.clock, chosen.seed
        self.namespace = chosen.scenario.load.namespace
        self._place = place(chosen)
        self._driver = self._place.driver
        self._world = self._place.world
        self._numbers = 0
        self._made: list[Machine] = []
        self._open = True
        try:
            self.kube: Kube = self._world.kube
            if chosen.clock == "virtual":
                self.kube = DrivenKube(self._world.kube, self._driver)
            evidence = Evidence(chosen.scenario, chosen.clock, chosen.seed)
            self._chronicle = self._driver.do(Chronicle, self._world, evidence)
            self.faults = Faults(self._driver, self._chronicle)
            self.managers = Managers(self._driver, self._chronicle, self._place.crew)
            self.fleet = Fleet(self._driver, self._chronicle, self._place.fleet_state)
        except BaseException:
            self.close()
            raise

    def __repr__(self) -> str:
        return f"<Lab, {self.clock} clock, seed {self.seed}>"

    @property
    def is_open(self) -> bool:
        return self._open

    def enrol(self) -> None:
        """Wait until every host is Available, where the settings want that.

        Raises:
            NotReached, LabError: as :meth:`wait_until`.
        """
        __tracebackhide__ = True
        if self.settings.enrol:
            self.wait_until(*(host.available for host in self.hosts()), timeout=ENROL_TIMEOUT)

    @property
    def _runtime(self) -> Runtime:
        return self._world.runtime

    @property
    def kubeconfig(self) -> Path:
        """For kubectl, or any client, with all rights. Raises LabError in virtual time."""
        path = self._world.kubeconfig
        if path is None:
            raise LabError("a lab in virtual time has no server: use lab.kube, or clock='live'")
        return path

    @property
    def trace_hash(self) -> str | None:
        """Of every decision so far: equal seeds and tests give equal hashes. None in wall time."""
        found = getattr(self._runtime, "trace_hash", None)
        return None if found is None else str(found)

    def now(self) -> float:
        """Seconds since the world began; it stands still in virtual time while a test computes."""
        return self._runtime.now() - self._chronicle.evidence.began

    def sleep(self, seconds: float) -> None:
        """Let time pass. In wall time a wait for what you are after is better."""
        self._driver.do(self._runtime.sleep, seconds)

    def hosts(self) -> list[Host]:
        """All PhysicalHosts, by name."""
        return [Host(self, name) for name in self._names(PHYSICAL_HOST)]

    def host(self, name: str) -> Host:
        return Host(self, name)

    def machines(self) -> list[Machine]:
        """All Beskar7Machines, by name."""
        return [Machine(self, name) for name in self._names(BESKAR7_MACHINE)]

    def machine(self, name: str) -> Machine:
        return Machine(self, name)

    def create_machines(self, count: int, spec: Mapping[str, Any] | None = None) -> list[Machine]:
        """So many machines at once, ``machine-001`` and on; ``spec`` changes fields of theirs.

        Raises:
            ApiError: the API refuses one.
        """
        if not isinstance(count, int) or not 1 <= count <= MAX_MACHINES:
            raise LabError(f"create_machines: from 1 to {MAX_MACHINES} machines, not {count!r}")
        return self._driver.do(self._create, count, dict(spec or {}))

    def create_machine(self, spec: Mapping[str, Any] | None = None) -> Machine:
        return self.create_machines(1, spec)[0]

    def wait_until(self, *wanted: Wanted, timeout: float = TIMEOUT) -> float:
        """Wait until all of this holds at one time; how many seconds that took.

        Conditions are those of hosts and machines (``machine.provisioned``); a function is asked
        again whenever one of these has changed.

        Raises:
            NotReached: it did not within ``timeout`` seconds; says how things stand instead.
            LabError: a part of the lab has ended meanwhile.
        """
        __tracebackhide__ = True
        for each in wanted:
            if not isinstance(each, Condition) and not callable(each):
                raise TypeError(
                    f"wait_until takes conditions such as machine.provisioned, and functions; "
                    f"not {each!r}"
                )
        if not wanted:
            return 0.0
        wait = Wait(
            self._world.kube, self._runtime, self.namespace, wanted, float(timeout), self.check
        )
        try:
            return self._driver.do(wait.run)
        except NotReached as error:
            # Without the frames that it came through, so that the test's own line is the last.
            in_vain = error.with_traceback(None)
        raise in_vain

    def holds(self, condition: Condition) -> bool:
        """Whether it holds now, by a fresh look."""
        found = self.kube.list(condition.kind, self.namespace)
        return condition.holds({item["metadata"]["name"]: item for item in found.items})

    def configure(self, settings: Mapping[str, str]) -> None:
        """Change keys of the ConfigMap ``beskar7-config``; the managers follow it."""
        self._driver.do(self._chronicle.perform, Configure(dict(settings)))

    def check(self) -> None:
        """Raises LabError when a part of the lab has ended that nobody ended."""
        self._place.check()
        self.managers.check()

    def mark(self) -> float:
        """This moment, for :meth:`judge`."""
        return self._runtime.now()

    def judge(self, since: float = 0.0) -> None:
        """See that no invariant of the settings was violated from a :meth:`mark` on.

        Raises:
            PromiseBroken: with the first violation.
        """
        __tracebackhide__ = True
        names = self.settings.invariants
        if not names:
            return
        found = self._chronicle.violations(names, since)
        if found:
            first = found[0]
            where = " ".join(part for part in (first.host, first.machine) if part)
            more = f" (and {len(found) - 1} more violations)" if len(found) > 1 else ""
            raise PromiseBroken(
                f"{first.invariant} was violated on {where} at "
                f"{first.time - self._chronicle.evidence.began:.3f} s: {first.detail}{more}",
                (first.host,) if first.host else (),
                (first.machine,) if first.machine and not first.host else (),
            )

    def timeline(self, *, host: str = "", machine: str = "") -> str:
        """What happened to a host or a machine, by the logs of the API and the BMCs.

        Without a name: what happened last, whoever it concerns.
        """
        return "\n".join(self._chronicle.timeline(host, machine))

    def situation(self) -> str:
        """How many hosts and machines are what, and who leads."""
        return "\n".join(self._chronicle.situation())

    def save(self, folder: Path, reason: str = "") -> None:
        """Keep the report, the timelines and all logs. Raises OSError."""
        self._chronicle.conclude(reason)
        with contextlib.suppress(WorldError, ApiError):
            self._driver.do(self._chronicle.read_metrics)
        self._chronicle.save(folder, self._place.logs)

    def reset(self) -> None:
        """As it was when it came up: no faults, no machines, free hosts, as many managers.

        Raises:
            LabError, NotReached: it does not get there, and should be closed.
        """
        self.faults.clear()
        self.managers.scale(self.settings.managers)
        machines = self.machines()
        for machine in machines:
            with contextlib.suppress(ApiError):
                machine.delete()
        wanted = [machine.gone for machine in machines]
        if self.settings.enrol:
            wanted += [host.available for host in self.hosts()]
        self.wait_until(*wanted, timeout=RESET_TIMEOUT)

    def close(self) -> None:
        """Take it down. May be called twice."""
        if self._open:
            self._open = False
            self._place.close()

    def _names(self, kind: Any) -> list[str]:
        items = self.kube.list(kind, self.namespace).items
        return sorted(item["metadata"]["name"] for item in items)

    def _create(self, count: int, spec: dict[str, Any]) -> list[Machine]:
        made = []
        for _ in range(count):
            self._numbers += 1
            name = f"machine-{self._numbers:03d}"
            obj = {
                "apiVersion": BESKAR7_MACHINE.api_version,
                "kind": BESKAR7_MACHINE.kind,
                "metadata": {"name": name, "namespace": self.namespace},
                "spec": {**machine_spec(Variant()), **spec},
            }
            self._world.kube.create(BESKAR7_MACHINE, obj)
            made.append(Machine(self, name))
        names = made[0].name + (f" to {made[-1].name}" if count > 1 else "")
        incident = Incident(self._runtime.now(), "create", names, f"{count} machines")
        self._chronicle.evidence.incidents.append(incident)
        return made


@contextlib.contextmanager
def open_lab(**fields: Any) -> Iterator[Lab]:
    """A lab outside of the fixtures, by the fields of the mark; it is down after the ``with``.

    Raises:
        SettingsError: a field is wrong; every one of them, and what is right.
        LabError: it could not be put up.
    """
    lab = Lab(settings(fields, "open_lab"))
    try:
        lab.enrol()
        yield lab
    finally:
        lab.close()
