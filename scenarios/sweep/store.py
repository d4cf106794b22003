"""A sweep's folder: what was asked for, and every run as soon as it is played.

``sweep.json`` says what the runs are of; ``runs.jsonl`` has a line for each, so that a sweep that
was stopped, in whatever way, goes on where it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import orjson

from scenarios.sweep.design import Design
from scenarios.sweep.runs import Key, Run

MANIFEST, RUNS = "sweep.json", "runs.jsonl"
FORMAT = 2
"""Of ``sweep.json``: another one says other things, or says them otherwise."""
MAX_BYTES = 2 << 30
"""Of ``runs.jsonl``: the most runs that a sweep may have, at 4 KiB each, and as much again."""
WORDS = {
    "set": "--set",
    "grid": "the grid",
    "fidelity": "--fidelity",
    "scenario": "the scenario",
    "calibration": "--calibration",
    "code": "the code that plays it",
}
DIGESTS = ("scenario", "calibration", "code")
"""Of these, those that say nothing to a reader."""


class StoreError(Exception):
    """The folder cannot be used; ``args[0]`` says why and what would be right."""


class Store:
    """Runs by point and seed, and on disk if there is a ``folder``. A context manager."""

    def __init__(self, design: Design, folder: Path | None, *, resume: bool = False) -> None:
        """Raises StoreError, also where a sweep is there already and ``resume`` does not hold."""
        self.runs: dict[Key, Run] = {}
        self._file: IO[bytes] | None = None
        if folder is None:
            return
        try:
            self._open(design, folder, resume)
        except OSError as error:
            raise StoreError(f"--report {folder}: {error.strerror or error}") from None

    def _open(self, design: Design, folder: Path, resume: bool) -> None:
        if folder.exists() and not folder.is_dir():
            raise StoreError(f"--report {folder}: is a file; give a directory")
        manifest = folder / MANIFEST
        if manifest.exists() and not resume:
            raise StoreError(
                f"--report {folder}: has a sweep already; --resume goes on with it, "
                "or give another directory"
            )
        if resume and not manifest.exists():
            raise StoreError(f"--resume: {folder} has no {MANIFEST} to go on with; leave it out")
        asked = {"format": FORMAT, **design.described()}
        if resume:
            _agree(_read(manifest), asked, folder)
            self._load(folder / RUNS, design)
        else:
            folder.mkdir(parents=True, exist_ok=True)
            manifest.write_bytes(orjson.dumps(asked, option=orjson.OPT_INDENT_2) + b"\n")
        self._file = (folder / RUNS).open("ab" if resume else "wb")

    def _load(self, path: Path, design: Design) -> None:
        if not path.exists():
            return
        if path.stat().st_size > MAX_BYTES:
            raise StoreError(f"--resume: {path} is larger than {MAX_BYTES >> 30} GiB")
        whole = 0
        wanted = {(point.number, seed) for point in design.points for seed in design.seeds}
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if not line.endswith(b"\n"):
                    break  # It was stopped while it wrote this one.
                whole += len(line)
                try:
                    run = Run.from_json(orjson.loads(line))
                except (KeyError, TypeError, ValueError, AttributeError):
                    raise StoreError(f"--resume: {path}:{number}: is no run of a sweep") from None
                # What had no answer is asked again; so are other seeds than were asked for now.
                if run.key in wanted and not run.error:
                    self.runs[run.key] = run
        if whole < path.stat().st_size:
            with path.open("r+b") as file:
                file.truncate(whole)

    def add(self, run: Run) -> None:
        """Keep it, on disk too before this returns."""
        self.runs[run.key] = run
        if self._file is not None:
            self._file.write(orjson.dumps(run.to_json()) + b"\n")
            self._file.flush()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()


def _read(manifest: Path) -> Mapping[str, Any]:
    try:
        found = orjson.loads(manifest.read_bytes())
    except ValueError:
        found = None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise StoreError(f"--resume: {manifest} is not of a sweep of this version")
    return found


def _agree(was: Mapping[str, Any], asked: Mapping[str, object], folder: Path) -> None:
    """Raises StoreError naming the first thing that changed."""
    for name, words in WORDS.items():
        if was.get(name) == asked[name]:
            continue
        told = "" if name in DIGESTS else f": it was {_text(was.get(name))}"
        raise StoreError(
            f"--resume: {words} changed since the sweep in {folder} was begun{told}; "
            "its runs would not be of one kind. Give another --report"
        )


def _text(value: object) -> str:
    if isinstance(value, list):
        return " ".join(map(_text, value)) or "none"
    return str(value)
