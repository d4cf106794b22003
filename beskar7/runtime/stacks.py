"""What every thread of this process does at this moment: for profiles and for finding leaks."""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass
from types import FrameType


@dataclass(frozen=True, slots=True)
class ThreadStack:
    """``native_id`` is the kernel's thread id; ``frame`` the innermost call."""

    name: str
    native_id: int
    frame: FrameType


def thread_stacks() -> list[ThreadStack]:
    """All threads but the caller's own, by name.

    A thread that begins or ends meanwhile may be missing.
    """
    frames = sys._current_frames()
    own = threading.get_ident()
    found = [
        ThreadStack(thread.name, thread.native_id or 0, frames[thread.ident])
        for thread in threading.enumerate()
        if thread.ident is not None and thread.ident != own and thread.ident in frames
    ]
    return sorted(found, key=lambda stack: (stack.name, stack.native_id))
