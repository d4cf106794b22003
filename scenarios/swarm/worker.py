"""Has seeds played by child processes, and knows what became of those that do not come back.

:func:`run_task` is what joblib calls in its workers, on any backend and in threads too.
"""

from __future__ import annotations

import contextlib
import tempfile

import orjson

from beskar7.runtime import LiveRuntime
from emulator.processes import Child, ChildError, ChildSilent
from scenarios.swarm.records import Record, Task

START_SECONDS = 120.0
"""Until a child has imported everything, on a machine that is busy with others."""
MAX_SEEDS = 200
"""Seeds after which a child is replaced: what a run leaves behind in a process is bounded so."""
MAX_RSS_BYTES = 1 << 30
"""A child that ever held more is replaced, too."""


class Player:
    """One child and what it has played."""

    def __init__(self) -> None:
        self._runtime = LiveRuntime()
        # Without a name: nothing is left of it, however this process ends.
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 # open as long as the child
        self._child = Child(
            self._runtime,
            "the player of seeds",
            ["scenarios.swarm.player"],
            self._said,
        )
        self.played = 0
        self._child.wait_ready(START_SECONDS)

    def play(self, task: Task) -> Record:
        """The seed's record; of a child that hangs or ends, a failure. It is no more good then."""
        began = self._runtime.now()
        self.played += 1
        try:
            self._child.send(orjson.dumps(task.to_json()))
            return Record.from_json(self._child.receive(task.limit))
        except ChildSilent:
            way, said = "hung", f"no verdict within {task.limit:g} s of wall time"
            said += self._child.abort()
        except ChildError as error:
            way, said = "crash process", str(error)
        self.close()
        return Record(
            seed=task.seed,
            ways=(way,),
            said=f"seed {task.seed}: {said}",
            wall_seconds=self._runtime.now() - began,
        )

    @property
    def alive(self) -> bool:
        return self._child.alive

    def close(self) -> None:
        self._child.kill()
        self._said.close()


_idle: list[Player] = []
"""Players of this process that wait for a seed. Taking and giving back are atomic."""


def run_task(task: Task) -> Record:
    """Play one seed in a child that may have played others before."""
    try:
        player = _take()
    except ChildError as error:
        return Record(task.seed, ("crash process",), f"seed {task.seed}: {error}")
    record = player.play(task)
    if not player.alive or player.played >= MAX_SEEDS or record.max_rss_bytes > MAX_RSS_BYTES:
        player.close()
    else:
        _idle.append(player)
    return record


def _take() -> Player:
    with contextlib.suppress(IndexError):
        return _idle.pop()
    return Player()


def close_players() -> None:
    """End the children of this process that wait."""
    while _idle:
        _idle.pop().close()
