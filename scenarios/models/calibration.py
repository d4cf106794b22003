"""The times that the model takes from measured runs: the API's and the reconcilers' share."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Calibration:
    """Means, in seconds.

    ``seen``: from a write of an object to a reconcile that acts on it. ``claim``: for which a
    worker is busy with one claim; ``claimers`` of them work at once. ``handoff``: from the claim
    to the moment in which the provisioning queue is asked. ``told``: from the end of an operation
    to what follows from it. ``finish``: from the last look at a BMC to the machine's new phase.
    """

    seen: float = 0.0045
    claim: float = 0.0040
    claimers: int = 10
    handoff: float = 0.0060
    told: float = 0.0035
    finish: float = 0.0080
