"""A fleet over several processes: each BMC lives in one of them, and all look like one fleet.

The parent opens every socket, forks the shards, and serves the one control endpoint in front of
theirs (:mod:`emulator.bmc.shardfront`); it answers for no BMC. A shard that dies has forgotten what
its BMCs did, which no experiment survives: it is not started again. The fleet says which shard it
was, and ends with exit code 1.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass

from emulator.bmc.listen import Listening, listen

MAX_SHARDS = 64
STOP = 5.0
"""Seconds that a shard has to end before it is killed."""


@dataclass(slots=True)
class Shard:
    """One child process. ``alive`` reads as ended once it is gone, however it went."""

    index: int
    pid: int
    hosts: int
    control: int
    """Port of its own control endpoint, on 127.0.0.1."""
    alive: int
    """The parent's end of a pipe that the child holds the other end of; it says ``r`` when ready.
    """

    def describe(self, status: int, shards: int) -> str:
        """How it ended; ``status`` is that of ``waitpid``."""
        how = (
            f"was ended by {signal.Signals(os.WTERMSIG(status)).name}"
            if os.WIFSIGNALED(status)
            else f"ended with code {os.waitstatus_to_exitcode(status)}"
        )
        return (
            f"shard {self.index} of {shards} (process {self.pid}, {self.hosts} BMCs) {how}; "
            "the fleet ends, as these BMCs have forgotten what they did"
        )


Serve = Callable[[int, Listening, socket.socket, int, int], None]
"""Serves one shard until its parent is gone: index, sockets, control socket, the pipe to say
``ready`` on, and the pipe that ends with the parent."""


def start(listenings: list[Listening], hosts: list[int], serve: Serve) -> tuple[list[Shard], int]:
    """Fork a process for each; also returns the pipe that ends them all when it is closed.

    Call it before any loop or thread runs. ``hosts`` says how many BMCs each has. Raises
    ``OSError``.
    """
    controls = [listen(["127.0.0.1"], 0, wildcard=False).sockets[0] for _ in listenings]
    parent_lives, hold = os.pipe()
    shards: list[Shard] = []
    for index, (listening, control) in enumerate(zip(listenings, controls, strict=True)):
        alive, ours = os.pipe()
        pid = os.fork()
        if pid == 0:
            for end in (hold, alive, *(shard.alive for shard in shards)):
                os.close(end)
            for other in (*controls[:index], *controls[index + 1 :]):
                other.close()
            code = 1
            try:
                # The parent is asked by the terminal too, and ends its shards in order.
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                serve(index, listening, control, ours, parent_lives)
                code = 0
            finally:
                os._exit(code)
        os.close(ours)
        port = control.getsockname()[1]
        shards.append(Shard(index, pid, hosts[index], port, alive))
    os.close(parent_lives)
    for control in controls:
        control.close()
    return shards, hold


class Watch:
    """What becomes of the shards, inside the parent's loop."""

    def __init__(self, shards: list[Shard], lost: Callable[[str], None]) -> None:
        """``lost`` is called with the words for a shard that ended unasked."""
        self._shards = shards
        self._lost = lost
        self._stopping = False
        self._ready = [asyncio.Event() for _ in shards]
        self._ended = [asyncio.Event() for _ in shards]
        loop = asyncio.get_running_loop()
        for shard in shards:
            os.set_blocking(shard.alive, False)
            loop.add_reader(shard.alive, self._read, shard)

    async def ready(self) -> None:
        """Until every shard serves, or one has ended."""
        for event in self._ready:
            await event.wait()

    def _read(self, shard: Shard) -> None:
        said = os.read(shard.alive, 16)
        self._ready[shard.index].set()
        if said:
            return
        asyncio.get_running_loop().remove_reader(shard.alive)
        os.close(shard.alive)
        _, status = os.waitpid(shard.pid, 0)
        self._ended[shard.index].set()
        if not self._stopping:
            self._lost(shard.describe(status, len(self._shards)))

    async def stop(self) -> None:
        """SIGTERM to those that live, and SIGKILL after :data:`STOP` seconds."""
        self._stopping = True
        self._signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP):
                for event in self._ended:
                    await event.wait()
        self._signal(signal.SIGKILL)
        for event in self._ended:
            await event.wait()

    def _signal(self, number: int) -> None:
        for shard, ended in zip(self._shards, self._ended, strict=True):
            # Nobody else reaps it, so the number is still its own.
            if not ended.is_set():
                os.kill(shard.pid, number)
