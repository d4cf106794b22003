"""What a fleet counts, as plain data that adds up over shards, and as Prometheus text."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from emulator.bmc.fleet import Fleet
    from emulator.bmc.log import BmcRecord

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds in seconds: from a kept answer to sushy's default patience."""
SLOWEST = 10
RECENT = 10.0
"""Seconds that the slowest BMCs are judged by."""


@dataclass(slots=True)
class Operation:
    """Requests of one kind: answers by status (0: none was sent), and seconds to the end."""

    statuses: dict[str, int] = field(default_factory=dict)
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    """By upper bound, the last without one; not cumulative."""
    seconds: float = 0.0

    @property
    def count(self) -> int:
        return sum(self.buckets)

    @property
    def errors(self) -> int:
        """Server errors, and requests that got no answer."""
        return sum(n for status, n in self.statuses.items() if status == "0" or status >= "500")

    def add(self, status: int, seconds: float) -> None:
        key = str(status)
        self.statuses[key] = self.statuses.get(key, 0) + 1
        self.buckets[bisect_left(BUCKETS, seconds)] += 1
        self.seconds += seconds

    def plus(self, other: Operation) -> Operation:
        statuses = Counter(self.statuses)
        statuses.update(other.statuses)
        buckets = [a + b for a, b in zip(self.buckets, other.buckets, strict=True)]
        return Operation(dict(statuses), buckets, self.seconds + other.seconds)

    def since(self, before: Operation) -> Operation:
        """What was added after ``before``."""
        statuses = {s: n - before.statuses.get(s, 0) for s, n in self.statuses.items()}
        buckets = [a - b for a, b in zip(self.buckets, before.buckets, strict=True)]
        return Operation(statuses, buckets, self.seconds - before.seconds)

    def quantile(self, share: float) -> float | None:
        """Seconds, interpolated in the bucket as Prometheus does; None without requests."""
        wanted, seen, low = share * self.count, 0, 0.0
        if not self.count:
            return None
        for high, count in zip(BUCKETS, self.buckets, strict=False):
            if count and seen + count >= wanted:
                # Bounded, as the sum may come out a bit above the bucket.
                return min(high, low + (high - low) * (wanted - seen) / count)
            seen, low = seen + count, high
        return BUCKETS[-1]


class Counts:
    """Counts the requests of one fleet; :meth:`add` is its ``observe``."""

    def __init__(self) -> None:
        self.operations: dict[str, Operation] = {}

    def add(self, operation: str, record: BmcRecord) -> None:
        found = self.operations.get(operation)
        if found is None:
            found = self.operations[operation] = Operation()
        found.add(record.status, record.end - record.start)


def machines(fleet: Fleet) -> dict[str, Any]:
    """How the fleet's BMCs are: counts by power and boot state, and who answered slowest."""
    now = fleet.runtime.now()
    fleet.settle(now)
    bmcs = fleet.bmcs.values()
    took: dict[str, list[float]] = {}
    for record in fleet.records.backwards():
        if record.end < now - RECENT:
            break
        took.setdefault(record.host, []).append(record.end - record.start)
    means = sorted(((sum(t) / len(t), host, len(t)) for host, t in took.items()), reverse=True)
    return {
        "power": dict(Counter(bmc.machine.power for bmc in bmcs)),
        "boot": dict(Counter(bmc.machine.progress(now)[0] for bmc in bmcs)),
        "slowest": [
            {"host": host, "mean_seconds": mean, "requests": count}
            for mean, host, count in means[:SLOWEST]
        ],
    }


def join(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The snapshot of a fleet from those of its shards; sums, and the worst where that counts."""
    joined: dict[str, Any] = {}
    for name in ("hosts", "requests", "in_flight", "connections"):
        joined[name] = sum(part[name] for part in parts)
    for name in ("busy", "busy_max", "lag", "lag_max"):
        joined[name] = max(part[name] for part in parts)
    joined["saturated"] = "; ".join(part["saturated"] for part in parts if part["saturated"])
    for name in ("power", "boot"):
        total: Counter[str] = Counter()
        for part in parts:
            total.update(part[name])
        joined[name] = dict(total)
    operations: dict[str, Operation] = {}
    for part in parts:
        for name, found in part["operations"].items():
            operations[name] = operations.get(name, Operation()).plus(Operation(**found))
    joined["operations"] = {name: asdict(found) for name, found in operations.items()}
    slowest = [entry for part in parts for entry in part["slowest"]]
    slowest.sort(key=lambda entry: -entry["mean_seconds"])
    joined["slowest"] = slowest[:SLOWEST]
    joined["shards"] = [shard for part in parts for shard in part["shards"]]
    return joined


class _Snapshot(Collector):
    def __init__(self, snapshot: Mapping[str, Any], faults: Iterable[Mapping[str, Any]]) -> None:
        self._snapshot = snapshot
        self._faults = faults

    def collect(self) -> Iterable[Metric]:
        snapshot = self._snapshot
        requests = CounterMetricFamily(
            "bmc_fleet_requests",
            "Requests by kind and status (0: no answer was sent)",
            labels=["operation", "status"],
        )
        seconds = HistogramMetricFamily(
            "bmc_fleet_request_seconds",
            "From a request's arrival to its end",
            labels=["operation"],
        )
        for name, entry in sorted(snapshot["operations"].items()):
            operation = Operation(**entry)
            for status, count in sorted(operation.statuses.items()):
                requests.add_metric([name, status], count)
            below, cumulative = 0, []
            for bound, count in zip([*map(str, BUCKETS), "+Inf"], operation.buckets, strict=True):
                below += count
                cumulative.append((bound, below))
            seconds.add_metric([name], cumulative, operation.seconds)
        yield from (requests, seconds)
        for name, text, key, label in (
            ("bmc_fleet_bmcs", "BMCs by power state of their machine", "power", "power"),
            ("bmc_fleet_boot_progress", "BMCs by boot progress", "boot", "state"),
        ):
            gauge = GaugeMetricFamily(name, text, labels=[label])
            for value, count in sorted(snapshot[key].items()):
                gauge.add_metric([value], count)
            yield gauge
        yield GaugeMetricFamily(
            "bmc_fleet_requests_in_flight", "Requests without an answer yet", snapshot["in_flight"]
        )
        yield GaugeMetricFamily(
            "bmc_fleet_connections", "Open connections", snapshot["connections"]
        )
        busy = GaugeMetricFamily(
            "bmc_fleet_busy_ratio", "Share of a core that a shard uses", labels=["shard"]
        )
        lag = GaugeMetricFamily(
            "bmc_fleet_loop_lag_seconds", "By how much a shard's timers are late", labels=["shard"]
        )
        full = GaugeMetricFamily(
            "bmc_fleet_saturated", "1: the shard is the bottleneck", labels=["shard"]
        )
        for shard in snapshot["shards"]:
            label = str(shard["shard"])
            busy.add_metric([label], shard["busy"])
            lag.add_metric([label], shard["lag"])
            full.add_metric([label], bool(shard["saturated"]))
        yield from (busy, lag, full)
        active = GaugeMetricFamily(
            "bmc_fleet_fault_active", "1: the fault is in force", labels=["fault", "kind"]
        )
        hits = CounterMetricFamily(
            "bmc_fleet_fault_hits", "Requests that a fault hit", labels=["fault", "kind"]
        )
        for fault in self._faults:
            active.add_metric([fault["id"], fault["kind"]], bool(fault["active"]))
            hits.add_metric([fault["id"], fault["kind"]], fault["hits"])
        yield from (active, hits)


def prometheus(snapshot: Mapping[str, Any], faults: Iterable[Mapping[str, Any]]) -> bytes:
    """The snapshot in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(_Snapshot(snapshot, faults))
    return generate_latest(registry)
