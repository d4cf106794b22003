"""What a manager's pod uses in virtual time: modelled, from what it keeps and what it does."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from beskar7.runtime import Runtime

P = ParamSpec("P")
T = TypeVar("T")

WINDOW = 15.0
"""Seconds over which processor use is averaged, as metrics-server does."""
BASE_MEMORY = 78 * 2**20
"""Bytes of a manager that has just begun. Measured live: resident set, two managers, five hosts."""
OBJECT_MEMORY = 40 * 2**10
"""Bytes for each host and machine in a leader's caches, its BMC client and its metrics."""
IDLE_CORES = 0.01
CALL_SECONDS = 0.0015
"""Processor seconds of a call to the API or to a BMC and of what is done about its answer."""


class Meter:
    """Of one life of a manager."""

    def __init__(self) -> None:
        self._calls: deque[float] = deque(maxlen=100_000)

    def counting(self, runtime: Runtime, door: Callable[P, T]) -> Callable[P, T]:
        """The door's hook, with each call counted."""

        def hook(*args: P.args, **kwargs: P.kwargs) -> T:
            self._calls.append(runtime.now())
            return door(*args, **kwargs)

        return hook

    def cores(self, now: float) -> float:
        while self._calls and self._calls[0] < now - WINDOW:
            self._calls.popleft()
        return IDLE_CORES + len(self._calls) * CALL_SECONDS / WINDOW


def memory(objects: int, *, leading: bool) -> int:
    """Bytes of a manager in a world of so many hosts and machines."""
    return BASE_MEMORY + (OBJECT_MEMORY * objects if leading else 0)
