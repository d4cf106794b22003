"""A look into the managers, which only virtual time allows: what they hold, and what they count.

All that a manager owns is found by following its references, so a map that is added to the
controller tomorrow is looked at, too.
"""

from __future__ import annotations

import gc
from collections import Counter, deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import BuiltinFunctionType, CodeType, FrameType, FunctionType, ModuleType
from typing import Any

from greenlet import greenlet

from beskar7.api.meta import ObjectKey
from beskar7.manager import Manager
from beskar7.runtime.virtual import VirtualProcess
from scenarios.engine.calls import Call

OUTSIDE = ("emulator", "scenarios", "simpy", "logging", "prometheus_client", "__main__")
"""What a manager points at and does not own, by the package of the type."""
SHARED = ("Kernel", "VirtualTask")
UNOWNED = (type, ModuleType, CodeType, FrameType, BuiltinFunctionType, greenlet)
CONTAINERS = (dict, list, set, frozenset, deque)

Series = tuple[str, tuple[tuple[str, str], ...]]
"""A sample's name and its labels, sorted."""


@dataclass(frozen=True, slots=True)
class Life:
    """One manager as it is, or was when it was killed.

    ``samples`` are those of its metrics; ``entries`` counts each container by its owner's class
    and field, ``names`` holds what of these names an object (``namespace/name``); ``tasks`` counts
    its tasks by name without numbers, and ``named_tasks`` are those with an object in their names.
    ``hands_over``: its claims are the elected coordinator's business.
    """

    alive: bool
    leading: bool
    samples: Mapping[Series, float]
    entries: Mapping[str, int] = field(default_factory=dict)
    names: Mapping[str, frozenset[str]] = field(default_factory=dict)
    tasks: Mapping[str, int] = field(default_factory=dict)
    named_tasks: tuple[str, ...] = ()
    lost_events: int = 0
    hands_over: bool = False

    def total(self, name: str, **labels: str) -> float:
        """The sum over all series of this name that have these labels."""
        wanted = labels.items()
        return sum(
            value
            for (series, found), value in self.samples.items()
            if series == name and wanted <= dict(found).items()
        )

    def by(self, name: str, label: str) -> Counter[str]:
        """The sums by the values of one label, without those that are zero."""
        sums: Counter[str] = Counter()
        for (series, found), value in self.samples.items():
            if series == name and value:
                sums[dict(found)[label]] += int(value)
        return sums


@dataclass(frozen=True, slots=True)
class Look:
    """``time`` is ``runtime.now()``; ``calls`` are those of all managers so far; ``streams``
    are the names of the random streams that are kept."""

    time: float
    lives: Mapping[str, Life]
    calls: list[Call]
    streams: tuple[str, ...]


def look_into(process: VirtualProcess, manager: Manager) -> Life:
    samples = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in manager.metrics.registry.collect()
        for sample in family.samples
        if not sample.name.endswith("_bucket")
    }
    if not process.alive:
        return Life(False, False, samples, hands_over=manager.hands_over)
    entries: Counter[str] = Counter()
    names: dict[str, set[str]] = {}
    lost = 0
    for item in owned((manager,), documents=False):
        package = type(item).__module__
        if not package.startswith("beskar7") or package.startswith("beskar7.runtime"):
            continue
        kind = type(item).__name__
        for name, value in fields(item):
            if isinstance(value, CONTAINERS):
                where = f"{kind}.{name}"
                entries[where] += len(value)
                names.setdefault(where, set()).update(_names(value))
        if kind == "EventRecorder":
            lost += int(getattr(item, "dropped"))  # noqa: B009 # of a type that is known by name
    return Life(
        True,
        manager.leading,
        samples,
        entries,
        {where: frozenset(found) for where, found in names.items() if found},
        tasks_by_name(process),
        tuple(task.name for task in process.tasks if "/" in task.name),
        lost,
        manager.hands_over,
    )


def tasks_by_name(process: VirtualProcess) -> Counter[str]:
    """How many tasks it runs, by their names without numbers."""
    return Counter(map(_without_numbers, (task.name for task in process.tasks)))


def owned(
    roots: Iterable[object],
    *,
    documents: bool = True,
    unseen: Collection[tuple[str, str]] = (),
) -> Iterator[object]:
    """All that the roots own, each once.

    ``documents`` False leaves out what API objects consist of; ``unseen`` are fields, by class and
    name, whose values are not followed.
    """
    seen: set[int] = set()
    left: list[Any] = list(roots)
    while left:
        item = left.pop()
        if id(item) in seen or isinstance(item, UNOWNED):
            continue
        seen.add(id(item))
        kind = type(item)
        if kind.__module__.partition(".")[0] in OUTSIDE or kind.__name__ in SHARED:
            continue
        if isinstance(item, FunctionType):
            # Its globals are the module's; its own are what it closes over.
            left += [*(item.__closure__ or ()), item.__defaults__]
            continue
        if not documents and kind is dict and "metadata" in item:
            continue
        yield item
        for owner, name in unseen:
            if kind.__name__ == owner:
                seen.add(id(getattr(item, name)))
        left += gc.get_referents(item)


def fields(item: object) -> Iterable[tuple[str, object]]:
    """The attributes that an object itself has, those in slots included."""
    yield from getattr(item, "__dict__", {}).items()
    for kind in type(item).__mro__:
        for name in kind.__dict__.get("__slots__", ()):
            if hasattr(item, name):
                yield name, getattr(item, name)


def _names(container: Iterable[object]) -> Iterator[str]:
    """What names an object among the entries of a container, or in a tuple that is one."""
    for entry in container:
        for part in entry if isinstance(entry, tuple) else (entry,):
            if isinstance(part, ObjectKey):
                yield str(part)
            elif isinstance(part, str) and part.count("/") == 1:
                yield part
        if isinstance(entry, tuple) and len(entry) == 2 and all(isinstance(p, str) for p in entry):
            yield "/".join(entry)


def _without_numbers(name: str) -> str:
    return "-".join(part for part in name.split("-") if not part.isdigit())
