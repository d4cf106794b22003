"""One session of ``beskar7 fidelity``: what is to be played, what is kept, what it says."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from scenarios.command import say
from scenarios.engine.clocks import Fidelity
from scenarios.engine.schema import Scenario
from scenarios.fidelity.compare import Pair, pairs, to_json
from scenarios.fidelity.runs import Kept, RunsError, Store, Task, play_runs, print_of
from scenarios.models.calibration import Calibration
from scenarios.parallel.jobs import BackendError
from scenarios.parallel.options import workers_of


class NoSession(Exception):
    """There is nothing to play, or nowhere to keep it; ``args[0]`` is for the user's eyes."""


class Session:
    """Raises NoSession where the kept runs cannot be read."""

    def __init__(
        self,
        scenarios: Sequence[Scenario],
        levels: Sequence[Fidelity],
        first: int,
        seeds: int,
        file: Path,
        times: Calibration,
    ) -> None:
        self._levels = levels
        # By level first, so that a session that is broken off can compare what it has.
        self._tasks = [
            Task(scenario, level, seed, times)
            for level in levels
            for scenario in scenarios
            for seed in range(first, first + seeds)
        ]
        self._file = file
        try:
            self._store = Store(file)
        except RunsError as error:
            raise NoSession(str(error)) from None
        except OSError as error:
            raise NoSession(f"{file}: {error.strerror or error}") from None
        self._done = 0

    def play(
        self, args: argparse.Namespace, voice: Console, now: Callable[[], float]
    ) -> Literal["done", "interrupted"]:
        """All that is not kept. Raises NoSession."""
        left = [task for task in self._tasks if args.again or not self._kept(task)]
        began = now()
        played = 0
        runs = play_runs(left, workers_of(args))
        ending: Literal["done", "interrupted"] = "done"
        try:
            for run in runs:
                self._store.add(run)
                played += 1
                say(voice, _line(run, now() - began, played, len(left)))
            self._store.tidy({task.scenario.name: print_of(task.scenario) for task in self._tasks})
        except KeyboardInterrupt:
            ending = "interrupted"
        except BackendError as error:
            raise NoSession(str(error)) from None
        except OSError as error:
            raise NoSession(f"{self._file}: {error.strerror or error}") from None
        finally:
            runs.close()
        return ending

    def _kept(self, task: Task) -> bool:
        """The model is played each time: it takes no time, and its runs age with its constants."""
        run = self._store.kept.get(task.key)
        return run is not None and task.level != "model" and not run.disturbed

    @property
    def said(self) -> str:
        return f"{len(self._own())} of {len(self._tasks)} runs are kept in {self._file}"

    @property
    def fell_short(self) -> bool:
        return any(run.shortfalls for run in self._own())

    def pairs(self) -> list[Pair]:
        return pairs(self._own(), self._levels)

    def to_json(self) -> dict[str, Any]:
        return {"levels": self._levels, "pairs": to_json(self.pairs())}

    def _own(self) -> list[Kept]:
        """The runs of this session's tasks, in their order."""
        kept = self._store.kept
        return [kept[task.key] for task in self._tasks if task.key in kept]


def _line(run: Kept, seconds: float, played: int, left: int) -> str:
    said = "; ".join(run.shortfalls) or run.bottleneck or run.refused
    head = f"[{seconds:6.1f} s] {played} of {left}: {run.scenario} {run.level} seed {run.seed}"
    return f"{head}, {run.wall_seconds:.1f} s{': ' + said if said else ''}"
