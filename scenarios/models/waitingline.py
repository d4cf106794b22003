"""Machines in a line for hosts, in the controller's order, at a cost that does not grow with it."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator
from heapq import merge

from beskar7.api.meta import ObjectKey
from beskar7.coordination.claimqueue import Waiting
from beskar7.coordination.requirements import Requirements
from scenarios.models.modelmachine import ModelMachine

Place = tuple[float, str, Waiting, ModelMachine]


class WaitingLine:
    """The order is that of :class:`~beskar7.coordination.claimqueue.Waiting`.

    Machines that want the same and were refused as often stay in the order of their age, whatever
    the time is: so each such class is kept sorted, and they are merged when somebody asks.
    """

    def __init__(self) -> None:
        self._classes: dict[tuple[Requirements, int], list[Place]] = {}
        self._known: dict[int, Waiting] = {}

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, machine: ModelMachine) -> bool:
        return machine.number in self._known

    def add(self, machine: ModelMachine, key: ObjectKey, wish: Requirements, retries: int) -> None:
        self.discard(machine)
        waiting = Waiting(key, wish, machine.created, retries)
        self._known[machine.number] = waiting
        members = self._classes.setdefault((wish, retries), [])
        insort(members, (machine.created, key.name, waiting, machine), key=_age)

    def discard(self, machine: ModelMachine) -> bool:
        """True when it waited."""
        waiting = self._known.pop(machine.number, None)
        if waiting is None:
            return False
        members = self._classes[waiting.requirements, waiting.retries]
        place = bisect_left(members, (waiting.since, waiting.machine.name), key=_age)
        del members[place]
        if not members:
            del self._classes[waiting.requirements, waiting.retries]
        return True

    def first(
        self, now: float, free: Callable[[Requirements], int]
    ) -> Iterator[tuple[ModelMachine, Waiting]]:
        """The best first, of each wish as many as ``free`` says. Nothing may be changed meanwhile.

        Both kinds of a wish's machines draw on its number. ``now`` in the model's seconds.
        """
        left: dict[Requirements, int] = {}
        for wish, _ in self._classes:
            if wish not in left:
                left[wish] = free(wish)
        open_classes = (
            members[: left[wish]] for (wish, _), members in self._classes.items() if left[wish]
        )
        for _, _, waiting, machine in merge(*open_classes, key=lambda place: place[2].order(now)):
            if left[waiting.requirements]:
                left[waiting.requirements] -= 1
                yield machine, waiting


def _age(place: Place | tuple[float, str]) -> tuple[float, str]:
    return place[0], place[1]
