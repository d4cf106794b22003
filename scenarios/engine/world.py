"""What the runner needs of a world, live or virtual."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from beskar7.kube.port import Kube
from beskar7.operations.cluster import Cluster
from beskar7.runtime import Runtime
from emulator.bmc.log import BmcEvent, BmcRecord
from emulator.kube.store.writelog import WriteRecord
from scenarios.engine.inside import Look
from scenarios.engine.schema import Door, Passage


class World(Protocol):
    """A Kubernetes API, a fleet of BMCs and the managers, made from one scenario.

    Only the task that runs the scenario calls it. Failures of the world itself (a process that
    died, a port in use) are :class:`WorldError`.
    """

    runtime: Runtime
    kube: Kube
    """The runner's own client; its User-Agent does not begin with ``beskar7-manager/``."""
    bmc_log_pause: float
    """Seconds between two readings of the BMCs' log while the scenario runs."""

    @property
    def kubeconfig(self) -> Path | None:
        """What kubectl needs to talk to the API; None where there is no server to talk to."""
        ...

    def start(self) -> None:
        """Bring everything up, and return when the API and every BMC answer.

        By then the namespaces, the credentials, ``beskar7-config`` and the PhysicalHosts exist
        and the managers are started; the hosts need not be enrolled.
        """
        ...

    def stop(self) -> None:
        """End every process. May be called at any time, also twice; raises nothing."""
        ...

    def kill_manager(self, target: str) -> str:
        """SIGKILL a manager, by role or identity, and return its identity.

        Raises :class:`WorldError` if none fits.
        """
        ...

    def kill_at(self, door: Door) -> None:
        """Kill whoever goes through ``door`` from now on. Raises :class:`WorldError` in wall time,
        where nobody can stop a process between two of its calls."""
        ...

    def killed_at(self) -> Passage | None:
        """Where a manager has died since then."""
        ...

    def start_manager(self) -> str:
        """Start one more manager and return its identity."""
        ...

    def add_fault(self, fault: Mapping[str, Any]) -> Mapping[str, Any]:
        """Add a fault of the fleet, of the API (``target: api``), or of the network between ends.

        ``start`` counts from now. Returns the fault as it is in force: one of the network as the
        one of the end that acts it out.
        """
        ...

    def clear_faults(self, id: str | None) -> None:
        """Clear one fault, or all for None."""
        ...

    def await_news(self, seconds: float) -> None:
        """Return once something may have been written, or ``seconds`` are over.

        May return sooner. What was written since it returned last is news as well.
        """
        ...

    def writes(self, after_seq: int) -> tuple[list[WriteRecord], int]:
        """The API's write log after ``after_seq``, in order, and how many of these were lost."""
        ...

    def bmc_log(
        self, after_records: int, after_events: int
    ) -> tuple[list[BmcRecord], list[BmcEvent]]:
        """The fleet's request log and machine events after two sequence numbers, in order."""
        ...

    def manager_metrics(self) -> dict[str, str]:
        """Each living manager's ``/metrics`` text, by identity."""
        ...

    def look(self) -> Look | None:
        """What is in the managers now; None where they are processes of their own."""
        ...

    def cluster(self) -> Cluster:
        """The installation as operations see it; they are called from the scenario's task."""
        ...

    def managers(self) -> list[tuple[str, bool]]:
        """Every manager so far, and whether it is alive."""
        ...

    def saturation(self) -> dict[str, float]:
        """Busy share (0 to 1, of one core) of each harness process since the previous call.

        Empty in virtual time, where the harness cannot be a bottleneck.
        """
        ...


class WorldError(Exception):
    """The world could not be put up or has fallen down; ``args[0]`` is for the user's eyes."""
