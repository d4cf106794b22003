"""What goes on in a load test beside its users, each for as long as its greenlet lives."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

import gevent

from loadtest.lifecycle import TIME_TO_CLAIM, TIME_TO_PROVISIONED
from loadtest.report import Recorder

LOOK_SECONDS, LATE_SECONDS = 0.1, 0.05
"""Between two looks at whether this process keeps up, and how much later is too late."""
PARENT_SECONDS = 1.0
"""Between two looks at whether the parent is there."""
PROGRESS_SECONDS = 10.0


def watch_the_loop(recorder: Recorder) -> None:
    """Note whether this process is as fast as its own clock."""
    while True:
        due = time.monotonic() + LOOK_SECONDS
        gevent.sleep(LOOK_SECONDS)
        late = time.monotonic() - due > LATE_SECONDS
        recorder.loop.update(looks=1, late=int(late))


def watch_the_parent(gone: Callable[[], None]) -> None:
    """Call ``gone`` once this process is an orphan."""
    parent = os.getppid()
    while os.getppid() == parent:
        gevent.sleep(PARENT_SECONDS)
    gone()


def tell_progress(recorder: Recorder, elapsed: Callable[[], float]) -> None:
    """Print a line now and then."""
    while True:
        gevent.sleep(PROGRESS_SECONDS)
        done = recorder.succeeded
        sys.stdout.write(
            f"{elapsed():>5.0f} s: {done[TIME_TO_CLAIM]} claimed,"
            f" {done[TIME_TO_PROVISIONED]} provisioned,"
            f" promises broken: {recorder.failed.total()}\n"
        )
        sys.stdout.flush()
