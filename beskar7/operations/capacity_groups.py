"""How a pool is divided, and who waits for which part of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from beskar7.api.resources import PhysicalHost
from beskar7.api.states import HostState
from beskar7.operations.pool import Pool, Waiting

UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Group:
    """Hosts that have something in common. ``use``: of those that could be used, None for none.

    A host in Error is neither used nor there to be used.
    """

    total: int
    available: int
    used: int
    error: int
    other: int
    use: float | None

    @classmethod
    def of(cls, hosts: Sequence[PhysicalHost]) -> Group:
        error = sum(host.state == HostState.ERROR for host in hosts)
        available = sum(host.state == HostState.AVAILABLE for host in hosts)
        used = sum(host.consumer is not None and host.state != HostState.ERROR for host in hosts)
        # Claimed a moment ago, it is still Available: its owner decides.
        available -= sum(
            host.consumer is not None and host.state == HostState.AVAILABLE for host in hosts
        )
        usable = len(hosts) - error
        use = (usable - available) / usable if usable else None
        return cls(len(hosts), available, used, error, usable - available - used, use)


@dataclass(frozen=True, slots=True)
class Demand:
    """Machines of a namespace that wait with the same ``hostRequirements``.

    ``fitting``: hosts that meet them in whatever state, ``free`` those of them that are Available.
    """

    namespace: str
    requirements: str
    machines: int
    fitting: int
    free: int
    hopeless: str


def grouped(hosts: Iterable[PhysicalHost], key: Callable[[PhysicalHost], str]) -> dict[str, Group]:
    """None where all are of one group and nobody said which."""
    found: dict[str, list[PhysicalHost]] = {}
    for host in hosts:
        found.setdefault(key(host) or UNKNOWN, []).append(host)
    if set(found) == {UNKNOWN}:
        return {}
    return {name: Group.of(found[name]) for name in sorted(found)}


def demands_of(pool: Pool) -> Iterable[Demand]:
    grouped: dict[tuple[str, str], list[Waiting]] = {}
    for each in pool.waiting:
        text = _told(each)
        grouped.setdefault((each.machine.namespace, text), []).append(each)
    for (namespace, text), waiting in sorted(grouped.items()):
        wish = waiting[0].requirements
        fitting = [host for host in pool.hosts if host.namespace == namespace and wish.met(host)]
        free = [host for host in pool.available(namespace) if wish.met(host)]
        yield Demand(namespace, text, len(waiting), len(fitting), len(free), waiting[0].hopeless)


def _told(waiting: Waiting) -> str:
    """The required part of its requirements; "any host" for none."""
    wish = waiting.requirements
    parts = [f"tag {tag}" for tag in wish.required_tags]
    parts += [f"{name}={value}" for name, value in wish.required_labels]
    if wish.min_cpu_cores:
        parts.append(f"{wish.min_cpu_cores} cores")
    if wish.min_memory_gib:
        parts.append(f"{wish.min_memory_gib} GiB")
    return ", ".join(parts) or "any host"
