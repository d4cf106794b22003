"""What an operation sees and touches: one installation, in whichever world it stands.

Two forms implement it: ``beskar7.operations.live.LiveCluster`` (any cluster, by kubeconfig)
and the simulator's for virtual time, so that a procedure is rehearsed with the very code that
operators run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from beskar7.kube.port import Kube
from beskar7.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Usage:
    """What a manager's pod uses: cores of processor time, bytes of memory (working set)."""

    cores: float
    memory: int


@dataclass(frozen=True, slots=True)
class Profile:
    """What a manager keeps, from its ``/debug/pprof``: bytes of its heap, counts of tasks.

    ``tasks`` is by what they do, ``heap`` by where it was allocated.
    """

    memory: int
    tasks: Mapping[str, int]
    heap: Mapping[str, int]


class Cluster(Protocol):
    """``kube`` raises ApiError; the other readings leave out what does not answer.

    All of them name a manager by its pod. What they return is of this moment.
    """

    namespace: str
    """Where the controller is installed."""

    @property
    def runtime(self) -> Runtime:
        """Its wall clock is the API server's: leases and timestamps are judged by it."""
        ...

    @property
    def kube(self) -> Kube: ...

    def metrics(self) -> Mapping[str, str]:
        """Each running manager's ``/metrics`` text."""
        ...

    def logs(self, seconds: float) -> Mapping[str, Sequence[str]]:
        """Each manager's log lines of the last ``seconds``, oldest first, also of pods' former
        containers where these are kept."""
        ...

    def usage(self) -> Mapping[str, Usage] | None:
        """None where nobody measures it (no metrics-server)."""
        ...

    def profiles(self) -> Mapping[str, Profile]:
        """Of the managers that serve profiles; empty if none does."""
        ...
