"""Where the processor's time goes, by sampling the stacks of all threads."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from beskar7.profiling.pprof import Stack, stack_of
from beskar7.runtime import Runtime
from beskar7.runtime.stacks import thread_stacks

INTERVAL = 0.01
"""Seconds between samples, as Go's profiler takes them."""


def sample(runtime: Runtime, seconds: float) -> dict[Stack, tuple[int, int]]:
    """Processor nanoseconds, and number of samples, of each stack that ran within ``seconds``.

    A sample stands for the time on the processor that its thread had since the last one, by the
    kernel's own account; a thread that waited has none. Where the kernel keeps no such account
    (it is not Linux), every thread counts with the time that passed.
    """
    spent: dict[int, int] = {}
    found: dict[Stack, list[int]] = defaultdict(lambda: [0, 0])
    end = runtime.now() + seconds
    before = runtime.now()
    for stack in thread_stacks():
        spent[stack.native_id] = _on_processor(stack.native_id) or 0
    while runtime.now() < end:
        runtime.sleep(INTERVAL)
        now = runtime.now()
        for stack in thread_stacks():
            total = _on_processor(stack.native_id)
            if total is None:
                used = round((now - before) * 1e9)
            else:
                used = total - spent.get(stack.native_id, 0)
                spent[stack.native_id] = total
            if used > 0:
                sums = found[stack_of(stack.frame)]
                sums[0] += used
                sums[1] += 1
        before = now
    return {stack: (nanoseconds, count) for stack, (nanoseconds, count) in found.items()}


def _on_processor(native_id: int) -> int | None:
    """Nanoseconds that a thread has run; None where it cannot be known."""
    try:
        return int(Path(f"/proc/self/task/{native_id}/schedstat").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None
