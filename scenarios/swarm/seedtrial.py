"""Plays one seed in this process, and says in what way it failed."""

from __future__ import annotations

import resource
import sys
import tempfile
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from beskar7.runtime import LiveRuntime
from scenarios.engine.loader import loads
from scenarios.engine.result import Result
from scenarios.engine.trial import play
from scenarios.swarm.draw import draw
from scenarios.swarm.records import Record, Task, pack
from scenarios.swarm.reference import deviation
from scenarios.swarm.ways import ways_of

SCENARIO = "scenario.yaml"
VERDICT = "verdict.txt"
REFERENCE_EVERY = 8
"""One seed in so many is played a second time without its misfortunes, for the end to compare."""
LAST_LINES = 12
"""Of a traceback that are quoted."""


def written(document: Mapping[str, Any]) -> str:
    """The document as the file that replays it."""
    return yaml.safe_dump(dict(document), sort_keys=False, width=100)


def play_task(task: Task) -> Record:
    """Play it. Whatever goes wrong is in the record; KeyboardInterrupt passes through."""
    stopwatch = LiveRuntime().now
    began = stopwatch()
    text = ""
    try:
        document = draw(task.seed, task.base) if task.document is None else task.document
        text = written(document)
        result = play(loads(text, SCENARIO), task.seed)
    except Exception as error:
        lines = "".join(traceback.format_exception(error)).splitlines()[-LAST_LINES:]
        said = f"seed {task.seed}: the run broke: {type(error).__name__}: {error}"
        files = {SCENARIO: text.encode(), VERDICT: "\n".join([said, *lines, ""]).encode()}
        return Record(
            seed=task.seed,
            ways=(f"crash {type(error).__name__}",),
            said=said,
            wall_seconds=stopwatch() - began,
            max_rss_bytes=_max_rss(),
            files=pack(files) if task.keep else {},
        )
    ways, said = tuple(ways_of(result)), result.verdict()
    if not ways and task.seed % REFERENCE_EVERY == 0:
        different = deviation(document, task.seed, result.evidence)
        if different:
            ways, said = ("reference",), f"seed {task.seed}: another end: {different}"
    return Record(
        seed=task.seed,
        ways=ways,
        said=said,
        trace_hash=result.evidence.trace_hash,
        virtual_seconds=result.virtual_seconds,
        wall_seconds=stopwatch() - began,
        max_rss_bytes=_max_rss(),
        files=pack(_files(result, text)) if ways and task.keep else {},
    )


def _files(result: Result, text: str) -> dict[str, bytes]:
    """What a failure leaves, the most telling first."""
    from scenarios.engine.keeping import save  # jinja2 takes its time; few seeds fail

    found = {SCENARIO: text.encode(), VERDICT: explained(result).encode()}
    with tempfile.TemporaryDirectory(prefix="beskar7-swarm-") as folder:
        for path in save(result, Path(folder)):
            found[path.name] = path.read_bytes()
    return found


def explained(result: Result) -> str:
    """The verdict and every violation, as text."""
    lines = [result.verdict(), ""]
    for violation in result.violations:
        time = violation.time - result.evidence.origin
        where = " ".join(part for part in (violation.host, violation.machine) if part)
        lines.append(f"{violation.invariant} at {time:.3f} s, {where}: {violation.detail}")
    if result.evidence.reason:
        lines.append(f"ended {result.evidence.ending}: {result.evidence.reason}")
    return "\n".join(lines) + "\n"


def _max_rss() -> int:
    """Bytes that this process ever held. Linux counts in KiB, macOS in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
