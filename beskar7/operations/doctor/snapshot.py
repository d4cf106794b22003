"""What doctor judges: an installation at one moment, as it was read. Plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from beskar7.api.durations import format_duration
from beskar7.api.objects import Object
from beskar7.operations.cluster import Usage
from beskar7.operations.series import Managers

RECENT = 600.0
"""Seconds that count as "the last minutes"; the guide looks back ten of them."""
UNREAD = "could not be read"
"""Of a section, in place of numbers that would look like nothing being there."""


@dataclass(frozen=True, slots=True)
class Counters:
    """All managers' series at ``at`` (UTC seconds), by the life that counted them.

    A life is a container's: ``POD/RESTARTS``. Its successor counts from 0.
    """

    at: float
    managers: Managers


@dataclass(frozen=True, slots=True)
class Window:
    """What came in between, and of which time. ``seconds`` None: since the managers' start."""

    grown: Managers = field(default_factory=Managers)
    seconds: float | None = None

    @property
    def told(self) -> str:
        if self.seconds is None:
            return "since the managers' start"
        return format_duration(round(self.seconds))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """``at`` is UTC seconds by the API server's clock. Objects are as the API gives them."""

    at: float
    namespace: str
    recent: float = RECENT
    """Seconds of Events, logs and restarts that are looked at."""
    unread: Mapping[str, str] = field(default_factory=dict)
    """What could not be read, and why."""
    missing_kinds: Sequence[str] = ()
    deployment: Object | None = None
    pods: Sequence[Object] = ()
    leases: Mapping[str, Object] = field(default_factory=dict)
    """Those of the controller that are there, by name."""
    config_map: Object | None = None
    webhooks: Sequence[Object] = ()
    """The webhook configurations that name the controller's namespace."""
    hosts: Sequence[Object] = ()
    machines: Sequence[Object] = ()
    warnings: Sequence[Object] = ()
    """Warning Events."""
    elections: Sequence[Object] = ()
    """Events LeaderElected."""
    managers: Managers = field(default_factory=Managers)
    """What each manager's pod says of itself now."""
    window: Window = field(default_factory=Window)
    logs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    usage: Mapping[str, Usage] | None = None
