"""Writes a run's results to a directory: verdict, report, and the logs that they rest on."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

from scenarios.engine.report import render
from scenarios.engine.result import Result
from scenarios.engine.story import page
from scenarios.engine.story.entries import entries
from scenarios.engine.story.recording import Recording
from scenarios.engine.story.text import story

RESULT = "result.json"
REPORT = "report.html"
STORY = "timeline.txt"
TIMELINE = "timeline.html"


def log_file(name: str) -> str:
    """The file of a log: one JSON document a line, in the order of the log."""
    return f"{name}.jsonl.gz"


def save(result: Result, folder: Path) -> list[Path]:
    """Write everything; the paths: report, result, timelines as page and as text, and the logs.

    The logs are there so that the sequence numbers which violations name can be looked up.

    Raises:
        OSError: the directory cannot be made or written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    evidence = result.evidence
    report, verdict = folder / REPORT, folder / RESULT
    report.write_text(render(result), encoding="utf-8")
    verdict.write_bytes(orjson.dumps(result.to_json(), option=orjson.OPT_INDENT_2) + b"\n")
    written = [report, verdict]
    recording = Recording.of(result)
    logged = entries(recording)
    told = ((TIMELINE, page.render(recording, logged)), (STORY, story(recording, logged)))
    for name, text in told:
        path = folder / name
        path.write_text(text, encoding="utf-8")
        written.append(path)
    logs: dict[str, Iterable[Any]] = {
        "writes": evidence.history.writes,
        "bmc-requests": evidence.requests,
        "bmc-events": evidence.events,
        "incidents": evidence.incidents,
        "faults": evidence.faults,
        "violations": result.violations,
    }
    for name, log in logs.items():
        written.append(_lines(folder / log_file(name), log))
    for identity, text in sorted(evidence.manager_metrics.items()):
        safe = "".join(c if c.isalnum() or c in "-_." else "_" for c in identity)
        path = folder / f"metrics-{safe}.prom"
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written


def _lines(path: Path, entries: Iterable[Any]) -> Path:
    """One JSON document a line. Dataclasses are written field by field."""
    # A fixed time stamp in the archive: equal runs leave equal files.
    with path.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as file:
        for entry in entries:
            file.write(orjson.dumps(entry, option=orjson.OPT_NON_STR_KEYS) + b"\n")
    return path
