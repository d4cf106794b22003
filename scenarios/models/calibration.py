"""The times that the model takes from measured runs: the API's and the reconcilers' share."""

from __future__ import annotations

from dataclasses import dataclass, field

from emulator.kube.inprocess import LatencyModel


@dataclass(frozen=True, slots=True)
class Calibration:
    """Means, in seconds, and of the API the distributions of its times.

    ``api``: each half of a call, and how far a watch is behind a write. ``processor``: of which a
    manager has one for all reconciles: for which one of them needs it. Virtual time has none.

    ``seen``: from a write of an object to a reconcile that acts on it. ``handoff``: from the claim
    to the moment in which the provisioning queue is asked. ``told``: from the end of an operation
    to what follows from it. ``finish``: from the last look at a BMC to the machine's new phase.
    """

    api: LatencyModel = field(default_factory=LatencyModel)
    processor: float = 0.0
    seen: float = 0.0045
    handoff: float = 0.0060
    told: float = 0.0035
    finish: float = 0.0080
