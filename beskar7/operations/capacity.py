"""The guide's capacity report: the pool, who waits in vain, and what the sizing rules ask for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from beskar7.api.meta import rfc3339
from beskar7.api.resources import Beskar7Machine
from beskar7.operations import sizing
from beskar7.operations.capacity_groups import Demand, Group, demands_of, grouped
from beskar7.operations.cluster import Cluster
from beskar7.operations.doctor.deployment import replicas
from beskar7.operations.doctor.gather import gather
from beskar7.operations.doctor.installed import Installed
from beskar7.operations.doctor.snapshot import Snapshot
from beskar7.operations.podstatus import container
from beskar7.operations.pool import Pool, counted
from beskar7.operations.quantities import quantity

HOUR = 3600.0
NEAR_FULL = 0.8


@dataclass(frozen=True, slots=True)
class Size:
    """What there is beside what a rule asks for; None: nothing is set, or nobody knows."""

    name: str
    configured: float | None
    needed: float
    unit: str
    rule: str
    hard: bool = True
    """Whether less than needed is a matter to act on; else it is a rule of experience."""

    @property
    def enough(self) -> bool:
        """What is not limited is."""
        return self.configured is None or self.configured >= self.needed


@dataclass(frozen=True, slots=True)
class Capacity:
    """``peak``: machines at once, ``per_hour``: provisionings of the busiest hour."""

    at: float
    peak: int
    per_hour: float
    states: Mapping[str, int]
    pool: Group
    groups: Mapping[str, Mapping[str, Group]]
    demands: Sequence[Demand]
    queue_length: float
    queue_capacity: float
    sizes: Sequence[Size]
    recommendations: Sequence[str]
    """What is to be done."""
    advice: Sequence[str]
    """Rules of experience that are not kept."""

    def to_json(self) -> dict[str, Any]:
        queue_use = self.queue_length / self.queue_capacity if self.queue_capacity else None
        return {
            "at": rfc3339(self.at),
            "peakMachines": self.peak,
            "provisioningsPerHour": self.per_hour,
            "states": dict(self.states),
            "pool": asdict(self.pool),
            "groups": {
                by: {name: asdict(group) for name, group in groups.items()}
                for by, groups in self.groups.items()
            },
            "demands": [asdict(demand) for demand in self.demands],
            "queue": {
                "length": self.queue_length,
                "capacity": self.queue_capacity,
                "use": queue_use,
            },
            "sizes": [asdict(size) | {"enough": size.enough} for size in self.sizes],
            "recommendations": list(self.recommendations),
            "advice": list(self.advice),
        }


def capacity(
    cluster: Cluster, *, machines: int | None = None, per_hour: float | None = None
) -> Capacity:
    """What ``cluster`` has and needs. Raises an ApiError when the API server does not answer.

    ``machines`` and ``per_hour`` are the demand to plan for; None: what there is now, and the
    busiest hour by when the machines of now were created.
    """
    snapshot, _ = gather(cluster, recent=1.0)
    return assess(snapshot, machines=machines, per_hour=per_hour)


def assess(
    snapshot: Snapshot, *, machines: int | None = None, per_hour: float | None = None
) -> Capacity:
    """As :func:`capacity`, of what was read."""
    pool = Pool.of(snapshot.hosts, snapshot.machines)
    installed = Installed.of(snapshot.deployment, snapshot.config_map)
    alive = [machine for machine in pool.machines if not machine.deleting]
    peak = len(alive) if machines is None else machines
    hourly = busiest_hour(alive) if per_hour is None else per_hour
    whole = Group.of(pool.hosts)
    demands = list(demands_of(pool))
    length = snapshot.managers.total("beskar7_provisioning_queue_length")
    places = snapshot.managers.most("beskar7_provisioning_queue_capacity")
    needed = sizing.hosts(peak, whole.error)
    sizes = [
        Size("hosts", whole.total, needed, "", "machines x 1.2 + those in Error"),
        *_sizes(snapshot, installed, len(pool.hosts), hourly),
    ]
    return Capacity(
        at=snapshot.at,
        peak=peak,
        per_hour=hourly,
        states=pool.states(),
        pool=whole,
        groups={
            "vendor": grouped(pool.hosts, lambda host: host.manufacturer),
            "zone": grouped(pool.hosts, lambda host: host.zone),
            "namespace": grouped(pool.hosts, lambda host: host.namespace),
        },
        demands=demands,
        queue_length=length,
        queue_capacity=places,
        sizes=sizes,
        recommendations=[
            *_recommended(whole, pool.short(), demands, length, places),
            *_lacking(sizes, hard=True),
        ],
        advice=list(_lacking(sizes, hard=False)),
    )


def busiest_hour(machines: Iterable[Beskar7Machine]) -> int:
    """The most machines that were created within one hour."""
    times = sorted(machine.created for machine in machines)
    most = first = 0
    for last, at in enumerate(times):
        while at - times[first] >= HOUR:
            first += 1
        most = max(most, last - first + 1)
    return most


def _sizes(snapshot: Snapshot, installed: Installed, hosts: int, per_hour: float) -> Iterable[Size]:
    tuning = installed.tuning
    at_once = tuning.max_concurrent_reconciles
    template = ((snapshot.deployment or {}).get("spec") or {}).get("template") or {}
    limits = (container(template).get("resources") or {}).get("limits") or {}
    wanted = replicas(snapshot.deployment) if snapshot.deployment else None
    yield Size(
        "memory",
        float(quantity(limits["memory"])) if "memory" in limits else None,
        sizing.memory(hosts, at_once),
        "bytes",
        "hosts x 2MB + reconciles x 10MB + 128MB, for each manager",
    )
    yield Size(
        "cpu",
        float(quantity(limits["cpu"])) if "cpu" in limits else None,
        round(sizing.cores(at_once, per_hour / HOUR), 3),
        "cores",
        "reconciles x 20m + claims/s x 5m + 100m, for each manager",
    )
    yield Size(
        "provisioning.maxQueueSize",
        tuning.max_queue_size,
        sizing.queue_places(per_hour, tuning.max_concurrent_ops),
        "",
        "busiest hour x 1.5, and at least 5 x maxConcurrentOps",
    )
    yield Size(
        "provisioning.workerCount",
        tuning.worker_count,
        sizing.workers(tuning.max_concurrent_ops),
        "",
        "maxConcurrentOps x 1.5",
        hard=False,
    )
    yield Size(
        "reconcile.maxConcurrentReconciles",
        at_once,
        sizing.reconciles(hosts),
        "",
        "one for 10 hosts",
        hard=False,
    )
    yield Size(
        "replicas",
        wanted,
        sizing.replicas(hosts),
        "",
        "1 up to 20 hosts, 3 up to 100, then 5",
        hard=False,
    )


def _recommended(
    pool: Group,
    short: Mapping[str, int],
    demands: Iterable[Demand],
    length: float,
    places: float,
) -> Iterable[str]:
    for each in demands:
        if each.hopeless:
            yield (
                f"{counted(each.machines, 'machine')} of namespace {each.namespace} in vain: "
                f"{each.hopeless}"
            )
    for namespace, missing in short.items():
        yield (
            f"namespace {namespace} is short of {counted(missing, 'host')}: add "
            f"{sizing.hosts(missing, 0)}, at most {sizing.BATCH} at a time"
        )
    if pool.use is not None and (more := sizing.growth(pool.total, pool.use)):
        yield f"{pool.use:.0%} of the usable hosts are in use: add {more}"
    if pool.error:
        yield f"{counted(pool.error, 'host')} in Error: beskar7 recover hosts"
    if places and length > NEAR_FULL * places:
        yield f"{length:.0f} of {places:.0f} places in the queue are taken: raise maxQueueSize"


def _lacking(sizes: Iterable[Size], *, hard: bool) -> Iterable[str]:
    for size in sizes:
        if size.hard == hard and not size.enough:
            there, needed = told(size.configured, size.unit), told(size.needed, size.unit)
            yield f"{size.name} {there} is less than {needed} ({size.rule})"


def told(value: float | None, unit: str) -> str:
    """For people."""
    if value is None:
        return "not set"
    if unit == "bytes":
        return f"{value / 2**20:.0f}Mi"
    return f"{value:g}{f' {unit}' if unit else ''}"
