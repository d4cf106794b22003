"""A limit of processor time, kept as the kernel's scheduler does: who has used it up is stopped.

``python -m emulator.kube.workloads.throttle PID CORES`` stops and continues a process until its
standard input ends; the process then goes on freely, also when the kubelet died.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import sys
from dataclasses import dataclass

from beskar7.runtime import LiveRuntime
from emulator.kube.workloads import images, usage

STEP = 0.02
"""Seconds between two looks: the kernel counts a process's time in hundredths."""
BURST = 0.02
"""Seconds of processor time that may be saved up."""


@dataclass(slots=True)
class Budget:
    """What is left of the processor time that ``cores`` give; all in seconds."""

    cores: float
    now: float
    used: float
    left: float = BURST

    def spent(self, now: float, used: float) -> bool:
        """Whether it is used up; ``used`` is all that the process ever had."""
        self.left = min(BURST, self.left + self.cores * (now - self.now)) - (used - self.used)
        self.now, self.used = now, used
        return self.left < 0.0


async def start(pid: int, cores: float) -> asyncio.subprocess.Process:
    """Throttle a process until the standard input of the one that is returned is closed."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", __name__, str(pid), f"{cores:g}"),
        stdin=asyncio.subprocess.PIPE,
        env={"PYTHONPATH": images.SOURCE},
        start_new_session=True,
    )


def main(pid: int, cores: float) -> None:
    clock = LiveRuntime().now
    budget = Budget(cores, clock(), usage.process_cpu(pid) or 0.0)
    stopped = False
    try:
        while not select.select([sys.stdin], [], [], STEP)[0]:
            used = usage.process_cpu(pid)
            if used is None:
                return
            if stopped is not (spent := budget.spent(clock(), used)):
                stopped = spent
                os.kill(pid, signal.SIGSTOP if stopped else signal.SIGCONT)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
