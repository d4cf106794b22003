"""What Locust leaves open about its worker processes: that they end, and that they may be slow."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

from locust import runners

PR_SET_PDEATHSIG = 1
"""Of prctl(2): the signal that a process gets when the one that forked it is gone."""
SILENCE = 20
"""Seconds without a word from a worker after which it counts as lost. Locust's own are 3, and on a
busy machine that ends tests of which nothing is wrong."""


def look_after_workers() -> None:
    """To be called once, before Locust forks those of ``--processes``.

    A master that ends before its workers have reached it leaves them behind, and one that is
    killed leaves all of them: on Linux they hear of it as of SIGTERM, and end in order.
    """
    runners.HEARTBEAT_LIVENESS = SILENCE // runners.HEARTBEAT_INTERVAL
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        os.register_at_fork(
            after_in_child=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        )
