"""What managers' ``/metrics`` say, as numbers: sums over managers, and what came in between."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

Labels = tuple[tuple[str, str], ...]
"""Sorted by name."""
Key = tuple[str, Labels]


@dataclass(frozen=True, slots=True)
class Series:
    """The samples of one manager, or what came in between of it."""

    samples: Mapping[Key, float] = field(default_factory=dict)

    @classmethod
    def of(cls, text: str) -> Series:
        """Of the text format. Raises ValueError for what is none."""
        return cls(
            {
                (sample.name, tuple(sorted(sample.labels.items()))): sample.value
                for family in text_string_to_metric_families(text)
                for sample in family.samples
                if not math.isnan(sample.value)
            }
        )

    def find(self, name: str, **labels: str) -> Iterator[tuple[dict[str, str], float]]:
        """Labels and value of each sample of this name that has these labels."""
        for (found, held), value in self.samples.items():
            if found == name:
                known = dict(held)
                if all(known.get(label) == wanted for label, wanted in labels.items()):
                    yield known, value

    def since(self, before: Series) -> Series:
        """How much each counter grew; one that shrank began anew, and counts from 0."""
        grown = {}
        for key, value in self.samples.items():
            old = before.samples.get(key, 0.0)
            grown[key] = value - old if value >= old else value
        return Series(grown)


@dataclass(frozen=True, slots=True)
class Managers:
    """The series of all managers, by their pods' names, or by their lives'."""

    each: Mapping[str, Series] = field(default_factory=dict)

    def has(self, name: str) -> bool:
        """Whether anybody has a sample of this name."""
        return any(found == name for series in self.each.values() for found, _ in series.samples)

    def find(self, name: str, **labels: str) -> Iterator[tuple[dict[str, str], float]]:
        """As :meth:`Series.find`, of one manager after the other."""
        for series in self.each.values():
            yield from series.find(name, **labels)

    def total(self, name: str, **labels: str) -> float:
        """The sum of what :meth:`find` finds; 0 for nothing."""
        return math.fsum(value for _, value in self.find(name, **labels))

    def most(self, name: str, **labels: str) -> float:
        """The highest of it; 0 for nothing."""
        return max((value for _, value in self.find(name, **labels)), default=0.0)

    def by(self, name: str, label: str, **labels: str) -> dict[str, float]:
        """The sums for each value of ``label``, in its order."""
        sums: dict[str, float] = {}
        for known, value in self.find(name, **labels):
            held = known.get(label, "")
            sums[held] = sums.get(held, 0.0) + value
        return dict(sorted(sums.items()))

    def since(self, before: Managers) -> Managers:
        """What came in between. Who was not there before has counted since then."""
        return Managers(
            {
                name: series.since(before.each.get(name, Series()))
                for name, series in self.each.items()
            }
        )

    def quantile(self, share: float, name: str, **labels: str) -> float | None:
        """As Prometheus' ``histogram_quantile`` of the summed buckets; None without a count.

        Above the highest bucket it is that bucket's bound.
        """
        bounds = self.by(f"{name}_bucket", "le", **labels)
        return quantile(share, [(float(bound), count) for bound, count in bounds.items()])


def quantile(share: float, buckets: Iterable[tuple[float, float]]) -> float | None:
    """``buckets`` are (upper bound, cumulated count)."""
    ordered = sorted(buckets)
    if not ordered or ordered[-1][1] <= 0:
        return None
    rank = share * ordered[-1][1]
    low_bound, low_count = 0.0, 0.0
    for bound, count in ordered:
        if count >= rank:
            if math.isinf(bound):
                return low_bound
            inside = count - low_count
            within = (rank - low_count) / inside if inside else 1.0
            return low_bound + (bound - low_bound) * within
        low_bound, low_count = bound, count
    return low_bound
