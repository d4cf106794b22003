"""What a rehearsal waits for: the symptoms of its cause, and the recovery from them, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from beskar7.api.durations import format_duration

QUIET = 5.0
"""Seconds for which nothing may come where ``absent`` says that it is not to come, unless ``for``
says another time: two looks of a condition and then some, and far less than a rehearsal."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """``minimum`` and ``maximum`` are both allowed values; None does not bound."""

    minimum: float | None = None
    maximum: float | None = None

    def hold(self, value: float) -> bool:
        return (self.minimum is None or value >= self.minimum) and (
            self.maximum is None or value <= self.maximum
        )

    def words(self, unit: str = "") -> str:
        scale = 100.0 if unit == "%" else 1.0
        said = []
        if self.minimum is not None:
            said.append(f"at least {self.minimum * scale:.6g}{unit}")
        if self.maximum is not None:
            said.append(f"at most {self.maximum * scale:.6g}{unit}")
        return " and ".join(said)


@dataclass(frozen=True, slots=True)
class Series:
    """All series of this name that have these labels, of all managers."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        inside = ",".join(f'{name}="{value}"' for name, value in self.labels.items())
        return f"{self.name}{{{inside}}}" if inside else self.name


@dataclass(frozen=True, slots=True)
class MetricIs:
    """The sum of ``series``; ``over`` another sum, as a share from 0 to 1; or a ``quantile`` (0 to
    1) of the histogram ``series``, interpolated as Prometheus does.

    Counters (and histograms) count since the load began, in the recovery since the remedy.
    """

    series: Series
    bounds: Bounds
    over: Series | None = None
    quantile: float | None = None

    def __str__(self) -> str:
        if self.over is not None:
            return f"{self.series} over {self.over} {self.bounds.words('%')}"
        if self.quantile is not None:
            return f"quantile {self.quantile:g} of {self.series} {self.bounds.words()}"
        return f"{self.series} {self.bounds.words()}"


@dataclass(frozen=True, slots=True)
class EventCame:
    """``minimum`` Events with this reason."""

    reason: str
    minimum: int = 1

    def __str__(self) -> str:
        return f"Event {self.reason}" + ("" if self.minimum == 1 else f" {self.minimum} times")


@dataclass(frozen=True, slots=True)
class LogSaid:
    """``minimum`` lines of the managers' logs that match a glob."""

    glob: str
    minimum: int = 1

    def __str__(self) -> str:
        return f'log "{self.glob}"' + ("" if self.minimum == 1 else f" {self.minimum} times")


@dataclass(frozen=True, slots=True)
class AlarmFires:
    """An alert of the rules of ``beskar7.monitoring``, all of its times divided by 20."""

    alarm: str

    def __str__(self) -> str:
        return f"alarm {self.alarm}"


@dataclass(frozen=True, slots=True)
class HostsAre:
    state: str
    bounds: Bounds

    def __str__(self) -> str:
        return f"hosts {self.state or 'None'} {self.bounds.words()}"


@dataclass(frozen=True, slots=True)
class MachinesAre:
    """``phase`` as :meth:`scenarios.engine.watching.Watcher.machines_by_phase` has it, or one that
    the API shows."""

    phase: str
    bounds: Bounds

    def __str__(self) -> str:
        return f"machines {self.phase} {self.bounds.words()}"


@dataclass(frozen=True, slots=True)
class LeaseChanged:
    """Leadership passed from one holder to another ``transitions`` times."""

    lease: str
    transitions: int = 1

    def __str__(self) -> str:
        return f"lease {self.lease} changes hands {self.transitions} times"


@dataclass(frozen=True, slots=True)
class DoctorFinds:
    """A finding of ``beskar7 doctor`` by its id; ``healthy`` for none."""

    finding: str

    def __str__(self) -> str:
        return f"doctor: {self.finding}"


What = (
    MetricIs
    | EventCame
    | LogSaid
    | AlarmFires
    | HostsAre
    | MachinesAre
    | LeaseChanged
    | DoctorFinds
)
Happening = EventCame | LogSaid | LeaseChanged
"""What has come stays so: it is counted, and cannot end."""


@dataclass(frozen=True, slots=True)
class Condition:
    """``what`` within ``within`` seconds, and from then on for ``lasting`` seconds.

    ``absent`` turns it round. Of happenings, then, none may come for ``lasting`` seconds.
    """

    what: What
    within: float
    lasting: float = 0.0
    absent: bool = False

    def __str__(self) -> str:
        lasting = f", for {format_duration(self.lasting)}" if self.lasting else ""
        return f"{'no ' if self.absent else ''}{self.what}{lasting}"
