"""The managers' metrics over a run: sums over all of them, and counters over all their lives."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from prometheus_client.parser import text_string_to_metric_families

from scenarios.engine.rehearsal.conditions import Series

Labels = tuple[tuple[str, str], ...]
Key = tuple[str, Labels]
"""A sample's name and its labels, sorted."""
COUNTS = ("_total", "_count", "_sum", "_bucket")


def parse_samples(text: str, names: Iterable[str]) -> dict[Key, float]:
    """The samples of an exposition whose names begin with one of ``names``.

    A text that breaks off, as of a manager that is just killed, gives what it has.
    """
    wanted = tuple(names)
    lines = [line for line in text.splitlines() if line.startswith(wanted)]
    found: dict[Key, float] = {}
    try:
        for family in text_string_to_metric_families("\n".join(lines) + "\n"):
            for sample in family.samples:
                found[sample.name, tuple(sorted(sample.labels.items()))] = float(sample.value)
    except ValueError:
        pass
    return found


class SampleBook:
    """What each manager says, by its identity: a new life of a pod is another one."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = frozenset(names)
        self._now: dict[str, dict[Key, float]] = {}
        self._ended: dict[Key, float] = {}
        """Counters of managers that are gone."""
        self.totals: Mapping[Key, float] = {}
        """Each sample summed over all managers, counters also over those that are gone."""

    def take(self, texts: Mapping[str, str]) -> dict[str, dict[Key, float]]:
        """Take in what there is now, by identity, and return it as samples."""
        fresh = {identity: parse_samples(text, self.names) for identity, text in texts.items()}
        for identity in [known for known in self._now if known not in fresh]:
            for key, value in self._now.pop(identity).items():
                if key[0].endswith(COUNTS):
                    self._ended[key] = self._ended.get(key, 0.0) + value
        self._now.update(fresh)
        sums = dict(self._ended)
        for samples in self._now.values():
            for key, value in samples.items():
                sums[key] = sums.get(key, 0.0) + value
        self.totals = sums
        return fresh


def chosen(
    sums: Mapping[Key, float], base: Mapping[Key, float], series: Series
) -> dict[Key, float]:
    """The samples of ``series``, counters without what they were in ``base``."""
    wanted = series.labels.items()
    counts = series.name.endswith(COUNTS)
    return {
        key: value - (base.get(key, 0.0) if counts else 0.0)
        for key, value in sums.items()
        if key[0] == series.name and wanted <= dict(key[1]).items()
    }


def total(sums: Mapping[Key, float], base: Mapping[Key, float], series: Series) -> float | None:
    """None when there is no such sample."""
    found = chosen(sums, base, series)
    return math.fsum(found.values()) if found else None


def quantile(
    sums: Mapping[Key, float], base: Mapping[Key, float], series: Series, share: float
) -> float | None:
    """Of a histogram, interpolated within its bucket as ``histogram_quantile`` does; None without
    observations. What lies beyond the last bound counts as that bound."""
    buckets: dict[float, float] = {}
    for (_, labels), count in chosen(
        sums, base, Series(f"{series.name}_bucket", series.labels)
    ).items():
        bound = float(dict(labels)["le"])
        buckets[bound] = buckets.get(bound, 0.0) + count
    bounds = sorted(buckets)
    if not bounds or buckets[bounds[-1]] <= 0:
        return None
    rank = share * buckets[bounds[-1]]
    low, below = 0.0, 0.0
    for bound in bounds:
        if buckets[bound] >= rank:
            if math.isinf(bound):
                return low
            inside = buckets[bound] - below
            return low + (bound - low) * ((rank - below) / inside if inside else 1.0)
        low, below = bound, buckets[bound]
    return low
