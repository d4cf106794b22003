"""Is a concurrent history linearizable? Could its operations have happened one at a time, each
at some moment between its call and its return, with the answers that were given?

The search of Wing and Gong (1993) with Lowe's memory (2017) of configurations that led nowhere,
as in Porcupine. It is exponential at worst, so histories should be of one object, with few
operations under way at once.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

S = TypeVar("S", bound=Hashable)
UNKNOWN = math.inf
"""The ``end`` of an operation without an answer: it may take effect late, or never."""
BUDGET = 2_000_000  # steps of the search


class Undecided(Exception):
    """The search was given up after its budget."""


@dataclass(frozen=True, slots=True)
class Operation:
    """``start`` and ``end`` in seconds on one clock; ``output`` means nothing if ``end`` is
    :data:`UNKNOWN`."""

    client: str
    start: float
    end: float
    input: Any
    output: Any


class Model(Protocol[S]):
    """The object as it would be without concurrency."""

    def initial(self) -> S: ...

    def step(self, state: S, operation: Operation) -> tuple[bool, S]:
        """Whether the operation's output is possible here, and the state that it leads to."""
        ...


class _Entry:
    """A call or a return in time's order; a doubly linked list."""

    __slots__ = ("before", "call", "index", "operation", "returned", "then")

    def __init__(self, index: int, operation: Operation, *, call: bool) -> None:
        self.index = index
        self.operation = operation
        self.call = call
        self.returned: _Entry | None = None  # of a call: its return
        self.before: _Entry | None = None
        self.then: _Entry | None = None

    def unlink(self) -> None:
        if self.before is not None:
            self.before.then = self.then
        if self.then is not None:
            self.then.before = self.before

    def relink(self) -> None:
        if self.before is not None:
            self.before.then = self
        if self.then is not None:
            self.then.before = self


def linearizable(history: Iterable[Operation], model: Model[S], budget: int = BUDGET) -> bool:
    """Raises :class:`Undecided` after ``budget`` steps; ``ValueError`` if time runs backwards."""
    head, left = _linked(list(history))
    state = model.initial()
    done = 0  # a bit for each operation that has its place in the order
    seen: set[tuple[int, S]] = set()
    taken: list[tuple[_Entry, S]] = []
    entry = head.then
    while left:
        budget -= 1
        if budget < 0:
            raise Undecided
        if entry is not None and entry.call:
            possible, then = model.step(state, entry.operation)
            after = done | 1 << entry.index
            if possible and (after, then) not in seen:
                seen.add((after, then))
                taken.append((entry, state))
                state, done = then, after
                left -= _lift(entry)
                entry = head.then
            else:
                entry = entry.then
        elif taken:
            # A return is reached whose call has found no place: the last choice was wrong.
            entry, state = taken.pop()
            done &= ~(1 << entry.index)
            left += _unlift(entry)
            entry = entry.then
        else:
            return False
    return True


def _linked(operations: list[Operation]) -> tuple[_Entry, int]:
    events: list[tuple[float, int, int, _Entry]] = []
    for index, operation in enumerate(operations):
        if operation.end < operation.start:
            raise ValueError(f"an operation ends before it starts: {operation}")
        call = _Entry(index, operation, call=True)
        events.append((operation.start, 0, index, call))
        if operation.end != UNKNOWN:
            call.returned = _Entry(index, operation, call=False)
            # What touches in time overlaps: calls come first.
            events.append((operation.end, 1, index, call.returned))
    head = at = _Entry(-1, Operation("", 0, 0, None, None), call=False)
    for _, _, _, entry in sorted(events, key=lambda event: event[:3]):
        at.then, entry.before = entry, at
        at = entry
    return head, sum(operation.end != UNKNOWN for operation in operations)


def _lift(call: _Entry) -> int:
    """Take an operation out of the list; 1 when its answer counted among those to explain."""
    call.unlink()
    if call.returned is None:
        return 0
    call.returned.unlink()
    return 1


def _unlift(call: _Entry) -> int:
    counted = 0
    if call.returned is not None:
        call.returned.relink()
        counted = 1
    call.relink()
    return counted
