"""Runs at the levels, kept as lines of JSON, so that what was played is not played again."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from scenarios.engine.canonical import digest
from scenarios.engine.clocks import LEVELS, Fidelity
from scenarios.engine.schema import Scenario
from scenarios.fidelity.columns import KEPT
from scenarios.fidelity.levels import play_at
from scenarios.models.calibration import Calibration
from scenarios.models.known import NotModelled
from scenarios.models.learn import NotLearned
from scenarios.parallel.jobs import Workers, play_all

MAX_BYTES = 64 * 1024 * 1024
"""Of a file of runs that is read; a run is half a kilobyte."""

MAX_LOAD = 1.5
"""Tasks that want a core, for each that there is; a live run alone makes up to one of them."""


@dataclass(frozen=True, slots=True)
class Task:
    """``times`` is the model's alone."""

    scenario: Scenario
    level: Fidelity
    seed: int
    times: Calibration

    @property
    def key(self) -> tuple[str, str, Fidelity, int]:
        return self.scenario.name, print_of(self.scenario), self.level, self.seed


@dataclass(frozen=True, slots=True)
class Kept:
    """What a run left. ``scenario_print`` tells whether it was of the scenario as it is now.

    ``refused``: why a level could not play it. ``bottleneck``: what of the harness was too slow.
    ``load``: of a live run, the system's load a core when it was over.
    """

    scenario: str
    scenario_print: str
    level: Fidelity
    seed: int
    metrics: dict[str, float | None]
    wall_seconds: float
    shortfalls: tuple[str, ...] = ()
    bottleneck: str = ""
    refused: str = ""
    load: float = 0.0

    @property
    def disturbed(self) -> bool:
        """The machine had other work, so that its times say little."""
        return self.load > MAX_LOAD

    @property
    def key(self) -> tuple[str, str, Fidelity, int]:
        return self.scenario, self.scenario_print, self.level, self.seed

    @property
    def order(self) -> tuple[str, int, int, str]:
        return self.scenario, LEVELS.index(self.level), self.seed, self.scenario_print


class RunsError(Exception):
    """A file of runs cannot be read; ``args[0]`` says which line, and what to do."""


def print_of(scenario: Scenario) -> str:
    """Of all that a scenario says, but for what people call it.

    What is as it is by default is left out: a field that scenarios get one day changes no print.
    """
    parts = ("world", "load", "faults", "played", "limits")
    return digest({part: getattr(scenario, part) for part in parts})[:12]


def play(task: Task) -> Kept:
    """Play one, at its level."""
    name, mark, level, seed = task.key
    try:
        played = play_at(level, task.scenario, seed, task.times)
    except (NotModelled, NotLearned) as error:
        return Kept(name, mark, level, seed, {}, 0.0, refused=str(error))
    metrics = {
        known: None if value is None else round(value, 6)
        for known, value in played.metrics.items()
        if known in KEPT
    }
    kept = Kept(name, mark, level, seed, metrics, round(played.wall_seconds, 3))
    kept = replace(kept, shortfalls=played.shortfalls, bottleneck=played.bottleneck)
    if level == "live":
        kept = replace(kept, load=round(os.getloadavg()[0] / (os.cpu_count() or 1), 2))
    return kept


def play_runs(tasks: Sequence[Task], workers: Workers) -> Generator[Kept, None, None]:
    """All of them as they are over. Those in wall time one by one, at the end: they would slow
    each other down, and what plays beside them."""
    beside = [task for task in tasks if task.level != "live"]
    if beside:
        yield from play_all(play, beside, workers)
    yield from (play(task) for task in tasks if task.level == "live")


class Store:
    """A file that grows by a line with each run."""

    def __init__(self, path: Path) -> None:
        """Raises RunsError and OSError."""
        self._path = path
        self.kept: dict[tuple[str, str, Fidelity, int], Kept] = {}
        if path.exists():
            self.kept = {run.key: run for run in read_runs(path)}

    def add(self, run: Kept) -> None:
        """Raises OSError."""
        self.kept[run.key] = run
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab") as file:
            file.write(_line(run))

    def tidy(self, prints: Mapping[str, str]) -> None:
        """Write it anew, in order, without what was played twice. Raises OSError.

        ``prints`` are those of scenarios as they are: what was played of another form of these is
        left out.
        """
        beside = self._path.with_suffix(".new")
        runs = sorted(
            (r for r in self.kept.values() if prints.get(r.scenario, "") in ("", r.scenario_print)),
            key=lambda run: run.order,
        )
        beside.write_bytes(b"".join(map(_line, runs)))
        os.replace(beside, self._path)


def read_runs(path: Path) -> list[Kept]:
    """In the order of the file; a last line that was not finished is left out.

    Raises RunsError and OSError.
    """
    if path.stat().st_size > MAX_BYTES:
        raise RunsError(f"{path}: is larger than {MAX_BYTES} bytes; give another file")
    lines = path.read_bytes().split(b"\n")
    return list(_read(path, lines[:-1]))


def _read(path: Path, lines: Iterable[bytes]) -> Iterable[Kept]:
    for number, line in enumerate(lines, 1):
        try:
            found: dict[str, Any] = orjson.loads(line)
            found["shortfalls"] = tuple(found["shortfalls"])
            run = Kept(**found)
            if run.level not in LEVELS or not isinstance(run.metrics, dict):
                raise ValueError(run.level)
        except (orjson.JSONDecodeError, TypeError, KeyError, ValueError):
            said = "is not a run; remove the line, or give another file"
            raise RunsError(f"{path}:{number}: {said}") from None
        yield run


def _line(run: Kept) -> bytes:
    return orjson.dumps(asdict(run), option=orjson.OPT_SORT_KEYS) + b"\n"
