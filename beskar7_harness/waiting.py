"""Waits for what objects say of themselves: a list, then the events of watches, no sleeps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn, Protocol

from beskar7.api.durations import format_duration
from beskar7.api.errors import ApiError
from beskar7.api.kinds import BESKAR7_MACHINE, PHYSICAL_HOST, Kind
from beskar7.kube.port import Kube, Object, WatchEvent
from beskar7.runtime import Queue, QueueEmpty, Runtime
from beskar7_harness.errors import NotReached

LOOK = 1.0
"""Seconds between two looks at whether the lab's processes live while nothing is told."""
RETRY = 0.2
"""Seconds from a watch that broke off to the next list."""
SHOWN = 5
"""Conditions that are told of one wait that was in vain; the rest is counted."""
ALL = (PHYSICAL_HOST, BESKAR7_MACHINE)
"""Kinds whose changes have a function asked again."""
Objects = Mapping[str, Object]
"""Of one kind, by name."""


@dataclass(frozen=True, slots=True, eq=False)
class Condition:
    """What a wait may be for, judged from all objects of one kind.

    ``what`` is a sentence that is true when it holds; ``stands`` says how things stand instead.
    """

    kind: Kind
    what: str
    holds: Callable[[Objects], bool]
    stands: Callable[[Objects], str]
    hosts: tuple[str, ...] = ()
    machines: tuple[str, ...] = ()

    def __bool__(self) -> NoReturn:
        raise TypeError(
            f'"{self.what}" is a condition: lab.wait_until(it) waits for it, '
            "and lab.holds(it) says whether it holds now"
        )


@dataclass(frozen=True, slots=True)
class _Asked:
    """A function of the test's own; asked whenever a host or a machine has changed."""

    function: Callable[[], object]

    @property
    def what(self) -> str:
        code = getattr(self.function, "__code__", None)
        name = getattr(self.function, "__qualname__", repr(self.function))
        if code is None:
            return f"{name}() is true"
        return f"{name.rpartition('.<locals>.')[2]}() of line {code.co_firstlineno} is true"


Wanted = Condition | Callable[[], object]


class Check(Protocol):
    """Raises what has to end a wait early."""

    def __call__(self) -> None: ...


class Stream(Iterator[WatchEvent], Protocol):
    def close(self) -> None: ...


@dataclass(slots=True)
class Wait:
    """One wait; call :meth:`run` once, where waiting is allowed."""

    kube: Kube
    runtime: Runtime
    namespace: str
    wanted: Sequence[Wanted]
    timeout: float
    check: Check
    _objects: dict[Kind, dict[str, Object]] = field(default_factory=dict)
    _streams: list[Stream] = field(default_factory=list)
    _over: bool = False

    def run(self) -> float:
        """Seconds until everything held at one time. Raises :class:`NotReached`."""
        began = self.runtime.now()
        news: Queue[tuple[Kind, WatchEvent | None]] = self.runtime.queue()
        kinds = self._kinds()
        try:
            for kind in kinds:
                self._follow(kind, news)
            while not self._holds():
                left = began + self.timeout - self.runtime.now()
                if left <= 0:
                    raise self._in_vain()
                self._take(news, min(left, LOOK))
            return self.runtime.now() - began
        finally:
            self._over = True
            for stream in self._streams:
                stream.close()

    def _kinds(self) -> list[Kind]:
        kinds: dict[Kind, None] = {}
        for each in self.wanted:
            asked = (each.kind,) if isinstance(each, Condition) else ALL
            kinds.update(dict.fromkeys(asked))
        return list(kinds)

    def _follow(self, kind: Kind, news: Queue[tuple[Kind, WatchEvent | None]]) -> None:
        """List a kind, and have its events told from then on."""
        listed = self.kube.list(kind, self.namespace)
        self._objects[kind] = {item["metadata"]["name"]: item for item in listed.items}
        version = listed.resource_version
        self.runtime.spawn(self._tell, kind, version, news, name=f"wait for {kind.plural}")

    def _tell(self, kind: Kind, version: str, news: Queue[tuple[Kind, WatchEvent | None]]) -> None:
        try:
            events = self.kube.watch(
                kind, self.namespace, resource_version=version, timeout=self.timeout + LOOK
            )
            self._streams.append(events)  # type: ignore[arg-type] # both forms can be closed
            if self._over:
                return
            for event in events:
                news.put((kind, event))
        except ApiError:
            if not self._over:
                self.runtime.sleep(RETRY)
        finally:
            if not self._over:
                news.put((kind, None))

    def _take(self, news: Queue[tuple[Kind, WatchEvent | None]], seconds: float) -> None:
        try:
            kind, event = news.get(timeout=seconds)
        except QueueEmpty:
            self.check()
            return
        if event is None:
            self.check()
            self._follow(kind, news)
        elif event.type == "DELETED":
            self._objects[kind].pop(event.object["metadata"]["name"], None)
        elif event.type in ("ADDED", "MODIFIED"):
            self._objects[kind][event.object["metadata"]["name"]] = event.object

    def _holds(self) -> bool:
        return all(
            each.holds(self._objects[each.kind]) if isinstance(each, Condition) else each()
            for each in self.wanted
        )

    def _in_vain(self) -> NotReached:
        waited = format_duration(self.timeout)
        lines: list[str] = []
        hosts: list[str] = []
        machines: list[str] = []
        for each in self.wanted:
            if not isinstance(each, Condition):
                if not each():
                    lines.append(f"not: {_Asked(each).what}")
            elif not each.holds(self._objects[each.kind]):
                lines.append(f"not: {each.what}: {each.stands(self._objects[each.kind])}")
                hosts += each.hosts
                machines += each.machines
        if len(lines) > SHOWN:
            lines[SHOWN:] = [f"and {len(lines) - SHOWN} more of {len(self.wanted)}"]
        # The first line is all that a summary has room for.
        told = f"after {waited}: " + "\n  ".join(lines)
        return NotReached(told, tuple(hosts), tuple(machines))
