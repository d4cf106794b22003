"""What the managers counted while a load ran, though some of them began anew meanwhile."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from beskar7.operations.cluster import Cluster, Usage
from beskar7.operations.series import Key, Managers, Series

GAUGES = {
    "waiting": "beskar7_provisioning_queue_length",
    "processing": "beskar7_provisioning_queue_processing_count",
    "suspects waiting": "beskar7_provisioning_suspects_waiting",
    "claims waiting": "beskar7_host_claim_queue_length",
    "claims with the coordinator": "beskar7_claim_coordinator_queue_length",
    "capacity": "beskar7_provisioning_queue_capacity",
}
"""Of which the highest sum over managers is kept, as often as was looked."""
_COUNTERS = ("_total", "_bucket", "_count", "_sum")
_GAUGES = ("_processing_count", "_states_total", "_mappings_total", "_domains_total")
"""Ends of gauges' names that are called like counters, as they are documented."""
_OURS = re.compile(r"(?:beskar7_|# TYPE beskar7_)")


@dataclass(slots=True)
class Counters:
    """Growth of every counter since the first look, over all managers.

    A manager's counters begin at 0 with its process: one that shrank shows that it began anew,
    and all of that manager's have counted since then. ``resets`` counts these.
    """

    grown: dict[Key, float] = field(default_factory=dict)
    most: dict[str, float] = field(default_factory=lambda: dict.fromkeys(GAUGES, 0.0))
    resets: int = 0
    looks: int = 0
    managers: set[str] = field(default_factory=set)
    late: set[str] = field(default_factory=set)
    """Managers whose first look came late, so that what they had counted before is unknown."""
    _last: dict[str, dict[Key, float]] = field(default_factory=dict)

    def begin(self, texts: Mapping[str, str], expected: set[str]) -> None:
        """The first look; ``expected``: the managers that run, whether they answer or not."""
        self.managers |= expected | set(texts)
        self.late = expected - set(texts)
        for name, text in texts.items():
            self._last[name] = _counters(_read(text))
        self._gauges({name: _read(text) for name, text in texts.items()})

    def look(self, texts: Mapping[str, str]) -> None:
        """A later look. A manager that is not in it keeps what it had counted."""
        series = {name: _read(text) for name, text in texts.items()}
        for name, found in series.items():
            self._take(name, _counters(found))
        self._gauges(series)

    def managers_series(self) -> Managers:
        """The growth, as series of one manager."""
        return Managers({"all": Series(self.grown)})

    def _take(self, name: str, now: dict[Key, float]) -> None:
        before = self._last.get(name)
        self._last[name] = now
        if before is None:
            self.managers.add(name)
            if name in self.late:
                return
            before = {}  # a pod that came with the load: it counts from 0
        elif _began_anew(before, now):
            self.resets += 1
            before = {}
        for key, value in now.items():
            # Also what did not grow: an empty bucket is the lower bound of the next one.
            growth = value - before.get(key, 0.0)
            self.grown[key] = self.grown.get(key, 0.0) + growth

    def _gauges(self, series: Mapping[str, Series]) -> None:
        self.looks += 1
        found = Managers(series)
        for word, name in GAUGES.items():
            self.most[word] = max(self.most[word], found.total(name))


@dataclass(slots=True)
class UsageSpan:
    """Per manager: before, and the most of cores and bytes seen while the load ran."""

    before: dict[str, Usage] = field(default_factory=dict)
    most: dict[str, Usage] = field(default_factory=dict)

    def look(self, usage: Mapping[str, Usage] | None, *, first: bool = False) -> None:
        for name, now in (usage or {}).items():
            if first:
                self.before[name] = now
            known = self.most.get(name, now)
            self.most[name] = Usage(max(known.cores, now.cores), max(known.memory, now.memory))


def look(cluster: Cluster, counters: Counters, usage: UsageSpan) -> None:
    """One look at all managers. Raises an ApiError."""
    counters.look(cluster.metrics())
    usage.look(cluster.usage())


def _began_anew(before: Mapping[Key, float], now: Mapping[Key, float]) -> bool:
    """A process that goes on lets single series go, with a BMC that left, but never counts back."""
    gone = sum(key not in now for key in before)
    return gone * 2 > len(before) or any(now.get(key, old) < old for key, old in before.items())


def _read(text: str) -> Series:
    """Of our own series alone: the parser is slow, and a process may have many others."""
    lines = [line for line in text.splitlines() if _OURS.match(line)]
    try:
        return Series.of("\n".join(lines) + "\n")
    except ValueError:
        return Series()


def _counters(series: Series) -> dict[Key, float]:
    return {
        key: value
        for key, value in series.samples.items()
        if key[0].endswith(_COUNTERS) and not key[0].endswith(_GAUGES)
    }
