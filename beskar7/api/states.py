"""The states of a PhysicalHost and the edges between them.

The earlier controller's table (facts section 2) lacked what its own reconciler needed; the
repairs are marked. Guards are decided where the edge is taken, in the host controller.
"""

from __future__ import annotations

from enum import StrEnum


class HostState(StrEnum):
    """``status.state`` of a PhysicalHost."""

    NONE = ""
    ENROLLING = "Enrolling"
    AVAILABLE = "Available"
    CLAIMED = "Claimed"
    PROVISIONING = "Provisioning"
    PROVISIONED = "Provisioned"
    DEPROVISIONING = "Deprovisioning"
    ERROR = "Error"
    UNKNOWN = "Unknown"


_EDGES: dict[HostState, tuple[HostState, ...]] = {
    HostState.NONE: (
        HostState.ENROLLING,
        HostState.DEPROVISIONING,  # repair: deleted before it was ever enrolled
    ),
    HostState.ENROLLING: (
        HostState.AVAILABLE,
        HostState.ERROR,
        HostState.DEPROVISIONING,  # repair: a half-known host may be deleted or cleaned
    ),
    HostState.AVAILABLE: (
        HostState.CLAIMED,
        HostState.ERROR,
        HostState.DEPROVISIONING,
        HostState.ENROLLING,  # repair: new address or credentials have to be proven
    ),
    # Repair: release leads through Deprovisioning (power off, eject), never straight to
    # Available, from every state in which the host may carry somebody's image.
    HostState.CLAIMED: (HostState.PROVISIONING, HostState.ERROR, HostState.DEPROVISIONING),
    HostState.PROVISIONING: (HostState.PROVISIONED, HostState.ERROR, HostState.DEPROVISIONING),
    HostState.PROVISIONED: (
        HostState.DEPROVISIONING,
        HostState.ERROR,  # repair: the reconciler took this edge past its table
    ),
    HostState.DEPROVISIONING: (HostState.AVAILABLE, HostState.ERROR),  # repair: was a dead end
    HostState.ERROR: (
        HostState.ENROLLING,
        HostState.CLAIMED,  # repair: a claimed host whose BMC came back goes on
        HostState.DEPROVISIONING,
    ),
    HostState.UNKNOWN: (HostState.ENROLLING, HostState.DEPROVISIONING),
}

LEGAL_EDGES: frozenset[tuple[str, str]] = frozenset(
    (source.value, target.value) for source, targets in _EDGES.items() for target in targets
)
"""Every (from, to) that ``status.state`` may take; staying is always legal."""


def may_move(source: str, target: str) -> bool:
    return source == target or (source, target) in LEGAL_EDGES
