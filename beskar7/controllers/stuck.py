"""When a host is stuck in a state that it should have left: a net below all other bounds.

Each wait has a bound of its own (operation timeout, boot timeout, retries). This catches what
slips through: an operation that never returns, a boot whose manager died again and again, a
wake-up that was lost. Idle states (Available, Provisioned), a queue that is full or drained, and
missing credentials are not stuck: there is nothing to recover.
"""

from __future__ import annotations

from beskar7.api.meta import parse_rfc3339
from beskar7.api.resources import PhysicalHost
from beskar7.api.states import HostState
from beskar7.redfish.port import BmcError

TRANSITIONAL = (HostState.ENROLLING, HostState.PROVISIONING, HostState.DEPROVISIONING)


class StuckState(BmcError):
    """The host has been in a transitional state for too long."""

    reason = "StuckState"


def time_left(
    host: PhysicalHost,
    *,
    wall: float,
    timeout: float,
    boot_timeout: float,
    running: float | None,
    waiting: bool,
    unanswerable: bool,
) -> float | None:
    """Seconds until the host counts as stuck (0 or less: it does); None: not while it is so.

    ``running``: for how long an operation of the host has been running; ``waiting``: one waits
    for its turn or for its time; ``unanswerable``: there are no credentials to ask with.
    """
    if host.state not in TRANSITIONAL or unanswerable:
        return None
    asked = host.boot.get("requestedAt")
    if host.state == HostState.PROVISIONING and asked:
        # Measured by the API's mark: a manager that takes over goes on counting.
        return parse_rfc3339(asked) + max(timeout, boot_timeout) - wall
    if running is not None:
        return timeout - running
    if waiting or host.state_since is None:
        return timeout
    return host.state_since + timeout - wall
