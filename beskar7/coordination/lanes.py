"""What is remembered of each BMC: who uses it, its rest, its circuit, the peace it asked for."""

from __future__ import annotations

from dataclasses import dataclass, field

from beskar7.coordination.circuit import Circuit, CircuitState
from beskar7.coordination.operations import Operation

LONGEST_REST = 60.0
"""Seconds: the upper end of ``provisioning.bmcCooldownPeriod``; what is older decides nothing."""
REMEMBERED = 1024
"""Idle BMCs that are remembered before the old ones are dropped."""
NEVER = float("-inf")


@dataclass(slots=True)
class BmcLane:
    """One BMC. Times are seconds of the runtime's ``now``."""

    circuit: Circuit
    waiting: dict[int, Operation] = field(default_factory=dict)
    running: Operation | None = None
    rested_since: float = NEVER
    """The end of the last writing operation."""
    held_until: float = NEVER
    """The BMC said ``Retry-After``."""

    def idle(self, now: float) -> bool:
        """Whether nothing would differ if this BMC had never been heard of."""
        return (
            not self.waiting
            and self.running is None
            and self.rested_since < now - LONGEST_REST
            and self.held_until <= now
            and not self.circuit.suspect
        )


class BmcLanes:
    """The lanes by BMC, without those that no longer matter."""

    def __init__(self) -> None:
        self._lanes: dict[str, BmcLane] = {}
        self._prune_at = REMEMBERED

    def __getitem__(self, bmc: str) -> BmcLane:
        return self._lanes[bmc]

    def open(self, bmc: str, now: float) -> BmcLane:
        """The BMC's lane, made when there is none."""
        lane = self._lanes.get(bmc)
        if lane is None:
            if len(self._lanes) >= self._prune_at:
                self._lanes = {name: it for name, it in self._lanes.items() if not it.idle(now)}
                # Twice what had to stay: pruning costs each new BMC a constant.
                self._prune_at = max(REMEMBERED, 2 * len(self._lanes))
            lane = self._lanes[bmc] = BmcLane(Circuit(bmc))
        return lane

    def find(self, bmc: str) -> BmcLane | None:
        return self._lanes.get(bmc)

    def circuits(self) -> dict[str, CircuitState]:
        """The BMCs whose circuit is not closed."""
        return {
            bmc: lane.circuit.state
            for bmc, lane in self._lanes.items()
            if lane.circuit.state is not CircuitState.CLOSED
        }

    def __len__(self) -> int:
        return len(self._lanes)
