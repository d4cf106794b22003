"""A leak of a pod, as its kubelet makes it: it counts, and needs nothing in the manager itself."""

from __future__ import annotations

import asyncio
import contextlib
import sys

from emulator.kube.workloads import ballast, images, usage


class Leak:
    """Of one life of a container: its own process holds what was lost."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._lost = 0.0
        self._held = 0

    async def lose(self, size: float) -> None:
        """``size`` bytes more. Raises OSError."""
        self._lost += size
        pieces = int(self._lost) // ballast.PIECE
        if pieces <= self._held:
            return
        if self._process is None:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-S", "-m", ballast.__name__),
                stdin=asyncio.subprocess.PIPE,
                env={"PYTHONPATH": images.SOURCE},
                start_new_session=True,
            )
        self._held = pieces
        assert self._process.stdin is not None
        self._process.stdin.write(b"%d\n" % pieces)

    def memory(self) -> int:
        """Resident bytes."""
        return 0 if self._process is None else usage.process_memory(self._process.pid) or 0

    async def end(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
