"""``beskar7 run --all``: every scenario that comes along, one after the other, and one table."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from beskar7.api.problems import DocumentError
from scenarios.chosenpersonality import personality_overrides
from scenarios.command import BAD_INPUT, FELL_SHORT, HELD, INTERRUPTED, attempt, say
from scenarios.engine.checks import format_value
from scenarios.engine.keeping import save
from scenarios.engine.loader import catalog, load
from scenarios.engine.result import Result
from scenarios.engine.schema import Scenario
from scenarios.engine.trial import verdict
from scenarios.pages.templating import template

INDEX = "index.html"
LIVE_LIMIT = 3600.0
"""Seconds: a scenario that may take longer than this is left out in wall time."""
STYLES = {"held": "green", "not held": "bold red", "left out": "yellow"}


@dataclass(frozen=True, slots=True)
class Row:
    """One scenario's line: seconds are of the world, but for ``wall``; None: not measured.

    ``reason`` says why it was left out, or did not hold.
    """

    scenario: str
    guide: str
    verdict: str
    symptom: float | None = None
    recovery: float | None = None
    wall: float | None = None
    virtual: float | None = None
    reason: str = ""


def run_all(args: argparse.Namespace, voice: Console) -> int:
    """As the arguments say; the exit code: 0 when all held, 130 when it was broken off."""
    if args.scenario is not None:
        say(voice, f"beskar7 run: give --all or {args.scenario}, not both")
        return BAD_INPUT
    try:
        overrides = [*personality_overrides(args), *args.overrides]
        chosen = [load(name, overrides) for name in catalog()]
    except DocumentError as error:
        say(voice, str(error))
        return BAD_INPUT
    rows: list[Row] = []
    interrupted = False
    try:
        for number, scenario in enumerate(chosen, 1):
            say(voice, f"{scenario.name} ({number} of {len(chosen)})")
            row, interrupted = _one(scenario, args, voice)
            rows.append(row)
            if args.report is not None:
                keep_index(args.report, args, rows)
            say(voice, f"{scenario.name}: {row.verdict}{': ' + row.reason if row.reason else ''}")
            if interrupted:
                break
    except KeyboardInterrupt:
        interrupted = True
    except OSError as error:
        say(voice, f"--report {args.report}: {error.strerror or error}")
        return BAD_INPUT
    _tell(rows, args, len(chosen))
    if args.report is not None and rows:
        say(voice, f"written: {args.report / INDEX}")
    if interrupted:
        say(voice, f"Interrupted: {len(rows)} of {len(chosen)} scenarios were run.")
        return INTERRUPTED
    return FELL_SHORT if any(row.verdict == "not held" for row in rows) else HELD


def _one(scenario: Scenario, args: argparse.Namespace, voice: Console) -> tuple[Row, bool]:
    """Its row, and whether it was broken off."""
    if args.clock == "live" and (why := unfit_for_live(scenario)):
        return Row(scenario.name, scenario.guide, "left out", reason=why), False
    evidence, wall_seconds = attempt(scenario, args.clock, args.seed, voice)
    result = verdict(evidence, wall_seconds)
    if args.report is not None:
        save(result, args.report / scenario.name)
    return row_of(result), evidence.ending == "interrupted"


def unfit_for_live(scenario: Scenario) -> str:
    """Why it cannot be run in wall time among all others; empty when it can."""
    if scenario.virtual_only:
        return f"{', '.join(scenario.virtual_only)}: only in virtual time"
    if scenario.limits.timeout > LIVE_LIMIT:
        return f"may take {scenario.limits.timeout / 3600:.3g} hours; run it by its name"
    return ""


def row_of(result: Result) -> Row:
    evidence = result.evidence
    return Row(
        scenario=evidence.scenario.name,
        guide=evidence.scenario.guide,
        verdict="held" if result.passed else "not held",
        symptom=result.metrics["symptom_seconds"],
        recovery=result.metrics["recovery_seconds"],
        wall=result.wall_seconds,
        virtual=result.virtual_seconds,
        reason="; ".join(result.shortfalls()[:3]),
    )


def keep_index(folder: Path, args: argparse.Namespace, rows: Sequence[Row]) -> None:
    """The page that leads to each scenario's report. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    page = template("index.html.j2").render(
        rows=rows, clock=args.clock, seed=args.seed, seconds=_seconds
    )
    (folder / INDEX).write_text(page, encoding="utf-8")


def _seconds(value: float | None) -> str:
    return format_value(value, "seconds")


def _tell(rows: Sequence[Row], args: argparse.Namespace, chosen: int) -> None:
    held = sum(row.verdict == "held" for row in rows)
    if args.output == "json":
        said: dict[str, Any] = {
            "clock": args.clock,
            "seed": args.seed,
            "scenarios": [asdict(row) for row in rows],
        }
        sys.stdout.write(orjson.dumps(said, option=orjson.OPT_INDENT_2).decode() + "\n")
        return
    console = Console(highlight=False)
    # Whole names, however narrow the terminal: one is what the next command takes.
    widest = max((len(row.scenario) for row in rows), default=0)
    table = Table(
        Column("scenario", min_width=widest, no_wrap=True),
        "the guide's",
        "verdict",
        *("symptom", "recovery", "wall", "in the world"),
        box=None,
        header_style="bold",
    )
    for row in rows:
        times = (row.symptom, row.recovery, row.wall, row.virtual)
        style = STYLES[row.verdict]
        table.add_row(
            row.scenario, Text(row.guide), Text(row.verdict, style), *map(_seconds, times)
        )
    console.print(table)
    wall = sum(row.wall or 0.0 for row in rows)
    line = f"{held} of {chosen} scenarios held ({args.clock} clock, seed {args.seed}, {wall:.0f} s)"
    console.print(Text(line, "bold"))
