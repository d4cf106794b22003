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
START_SECONDS = (0.8, 1.4)
"""From the start of a manager's process until it serves, at least and at most. Measured live:
about 1 s on an idle machine."""
START_WORK = 0.7
"""Seconds of processor time in that, for the imports. Measured: 0.69 to 0.84 s (Python 3.11)."""
BASE_MEMORY = 56 * 2**20
"""Bytes of a manager that has just begun. Measured live: the resident set of one that follows."""
OBJECT_MEMORY = 80 * 2**10
"""Bytes for each host and machine of a leader, in its caches, clients and metrics. Measured live:
59 MiB at 5 hosts, 64 at 60, 69 with a machine on each of these, 81 at 300 hosts."""
IDLE_CORES = 0.0025
"""Measured live, of a leader with 60 machines at rest."""
CALL_SECONDS = 0.002
"""Processor seconds of a call to the API or to a BMC and of what is done about its answer.
Measured live: 3.8 s for 911 requests to BMCs and 866 writes, while 60 machines came."""


class Meter:
    """Of one life of a manager. ``cores`` is what its pod may use of the processor, None: all.

    In virtual time code takes no time. With less than a core each call waits for the processor
    time that it needs, one after the other, as who used up its share stands still.
    """

    def __init__(self, runtime: Runtime, cores: float | None = None) -> None:
        self._runtime = runtime
        self._cores = cores if cores is not None and cores < 1.0 else None
        self._free_at = 0.0
        self._calls: deque[float] = deque(maxlen=100_000)

    def counting(self, door: Callable[P, T]) -> Callable[P, T]:
        """The door's hook, with each call counted and kept waiting."""

        def hook(*args: P.args, **kwargs: P.kwargs) -> T:
            now = self._runtime.now()
            self._calls.append(now)
            if self._cores is not None:
                self._free_at = max(now, self._free_at) + CALL_SECONDS / self._cores
                self._runtime.sleep(self._free_at - now)
            return door(*args, **kwargs)

        return hook

    def cores(self) -> float:
        """In use over the last :data:`WINDOW` seconds."""
        since = self._runtime.now() - WINDOW
        while self._calls and self._calls[0] < since:
            self._calls.popleft()
        used = IDLE_CORES + len(self._calls) * CALL_SECONDS / WINDOW
        return used if self._cores is None else min(used, self._cores)


def start_seconds(draw: float, cores: float | None) -> float:
    """From a process's start until it serves; ``draw`` is from 0 to 1."""
    least, most = START_SECONDS
    seconds = least + draw * (most - least)
    return seconds if cores is None or cores >= 1.0 else seconds + START_WORK * (1.0 / cores - 1.0)


def memory(objects: int, *, leading: bool) -> int:
    """Bytes of a manager in a world of so many hosts and machines."""
    return BASE_MEMORY + (OBJECT_MEMORY * objects if leading else 0)
