"""What holds the memory: allocations by where they were made, and live objects by type."""

from __future__ import annotations

import gc
import tracemalloc
from collections import Counter

from beskar7.profiling.pprof import Call, Stack
from beskar7.runtime import Runtime

DEPTH = 16
"""Calls that are remembered of each allocation; each costs memory while it is traced."""
NAMED = 40
"""Types and places in the text form."""
SHOWN = 6
"""Calls of a place in the text form."""
_OWN = frozenset((tracemalloc.__file__, __file__))


def keep_tracing() -> None:
    """Trace from now on, so that a later profile shows all that is in use (costs about a third
    more time and memory, so only on request)."""
    if not tracemalloc.is_tracing():
        tracemalloc.start(DEPTH)


def stop_tracing() -> None:
    tracemalloc.stop()


def in_use(runtime: Runtime, seconds: float) -> dict[Stack, tuple[int, int]]:
    """(objects, bytes) in use by where they were allocated.

    When nothing traces yet, allocations are traced for ``seconds``, and what is still in use of
    these is shown: what grows, in other words.
    """
    if tracemalloc.is_tracing():
        return _snapshot()
    tracemalloc.start(DEPTH)
    try:
        runtime.sleep(seconds)
        return _snapshot()
    finally:
        tracemalloc.stop()


def live_objects() -> list[tuple[str, int]]:
    """The most frequent types of tracked objects, and how many of each are alive."""
    counts = Counter(type(obj).__qualname__ for obj in gc.get_objects())
    return counts.most_common(NAMED)


def text(samples: dict[Stack, tuple[int, int]]) -> str:
    """The largest allocations and the most frequent types, for people."""
    total = sum(size for _, size in samples.values())
    if tracemalloc.is_tracing():
        traced = "since tracing began"
    else:
        traced = "while this was taken (with metrics.enableProfiling: from the start)"
    lines = [f"{total} bytes in use of what was allocated {traced}"]
    largest = sorted(samples.items(), key=lambda item: -item[1][1])[:NAMED]
    for stack, (count, size) in largest:
        lines.append(f"{size} bytes in {count} {'object' if count == 1 else 'objects'}")
        lines += [f"    {call.where}" for call in stack[:SHOWN]]
    lines += ["", "live objects by type"]
    lines += [f"{count:>9} {name}" for name, count in live_objects()]
    return "\n".join(lines) + "\n"


def _snapshot() -> dict[Stack, tuple[int, int]]:
    found: dict[Stack, tuple[int, int]] = {}
    # Sorted out here: tracemalloc's own filters match each frame of each allocation by a pattern,
    # and hold up the whole process for seconds.
    for item in tracemalloc.take_snapshot().statistics("traceback"):
        if any(frame.filename in _OWN for frame in item.traceback):
            continue
        # The oldest frame comes first there.
        stack = tuple(
            Call(frame.filename.rpartition("/")[2], frame.filename, frame.lineno)
            for frame in reversed(item.traceback)
        )
        count, size = found.get(stack, (0, 0))
        found[stack] = (count + item.count, size + item.size)
    return found
