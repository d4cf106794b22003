"""An installation in virtual time, as an operation sees it."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from beskar7.kube.port import Kube
from beskar7.manager import Manager
from beskar7.manifests.rights import NAMESPACE
from beskar7.operations.cluster import Profile, Usage
from beskar7.runtime import Runtime
from beskar7.runtime.virtual import VirtualProcess
from scenarios.engine.inside import owned, tasks_by_name
from scenarios.engine.virtualpods.logs import PodLogs

CLIENT = "beskar7-operations"
"""An operation's name towards the API."""

Lives = Callable[[], Mapping[str, tuple[VirtualProcess, Manager]]]
"""The managers that live now, by pod; where there are no pods, by identity."""


class VirtualCluster:
    """See :class:`beskar7.operations.cluster.Cluster`. ``usage`` is of a pod."""

    namespace = NAMESPACE

    def __init__(
        self,
        runtime: Runtime,
        kube: Kube,
        lives: Lives,
        logs: PodLogs,
        usage: Callable[[str], Usage],
    ) -> None:
        self.runtime = runtime
        self.kube = kube
        self._lives = lives
        self._logs = logs
        self._usage = usage

    def metrics(self) -> Mapping[str, str]:
        return {
            pod: manager.metrics.exposition().decode()
            for pod, (_, manager) in self._lives().items()
        }

    def logs(self, seconds: float) -> Mapping[str, Sequence[str]]:
        return self._logs.since(self.runtime.now() - seconds)

    def usage(self) -> Mapping[str, Usage]:
        return {pod: self._usage(pod) for pod in self._lives()}

    def profiles(self) -> Mapping[str, Profile]:
        """The heap is what each class of the controller's own keeps, by the class's module."""
        return {
            pod: Profile(self._usage(pod).memory, dict(tasks_by_name(process)), _heap(manager))
            for pod, (process, manager) in self._lives().items()
        }


def _heap(manager: Manager) -> dict[str, int]:
    """Bytes of what a manager owns, by the type that holds them."""
    found: Counter[str] = Counter()
    for item in owned((manager,)):
        kind = type(item)
        found[f"{kind.__module__}.{kind.__qualname__}"] += sys.getsizeof(item)
    return dict(found)
