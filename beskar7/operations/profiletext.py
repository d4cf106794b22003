"""A manager's ``/debug/pprof`` pages as counts: see :mod:`beskar7.profiling.pages`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from beskar7.operations.cluster import Profile

TASKS_PATH = "/debug/pprof/goroutine?debug=1"
HEAP_PATH = "/debug/pprof/heap?debug=1&seconds=0.01"
"""Where allocations are traced all the time the answer is there at once; else it would be of these
milliseconds alone, and is not used."""
OWN = "beskar7/"
_TASK = re.compile(r"goroutine \d+ \[(.*)\]:")
_NUMBERS = re.compile(r"(?<![A-Za-z0-9])\d+")
_SITE = re.compile(r"(\d+) bytes in \d+ objects?")
_TOTAL = re.compile(r"(\d+) bytes in use of what was allocated since tracing began")


def profile_of(tasks: str, heap: str) -> Profile:
    """From the texts of both pages. ``memory`` and ``heap`` are 0 and empty unless allocations
    are traced from the start (``metrics.enableProfiling``)."""
    total = _TOTAL.match(heap)
    if total is None:
        return Profile(0, tasks_by_name(tasks), {})
    return Profile(int(total[1]), tasks_by_name(tasks), heap_by_site(heap.splitlines()))


def tasks_by_name(text: str) -> dict[str, int]:
    """How many tasks there are of each name, numbers in them left open."""
    found = Counter(
        _NUMBERS.sub("#", match[1])
        for line in text.splitlines()
        if (match := _TASK.fullmatch(line.rstrip()))
    )
    return dict(sorted(found.items()))


def heap_by_site(lines: Sequence[str]) -> dict[str, int]:
    """Bytes in use by the line that allocated, and the nearest one of our own that led there."""
    found: Counter[str] = Counter()
    size, calls = 0, list[str]()
    for line in [*lines, "0 bytes in 0 objects"]:
        begins = _SITE.fullmatch(line)
        if begins:
            if size and calls:
                found[_site(calls)] += size
            size, calls = int(begins[1]), []
        elif line.startswith("    "):
            calls.append(line.strip())
    return dict(sorted(found.items()))


def _site(calls: Sequence[str]) -> str:
    own = next((call for call in calls if call.startswith(OWN)), "")
    return calls[0] if own in ("", calls[0]) else f"{calls[0]} from {own}"
