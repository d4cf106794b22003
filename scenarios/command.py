"""``beskar7 run``: one scenario, one verdict."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from beskar7.api.problems import DocumentError
from beskar7.operations.options import whole_number
from beskar7.runtime import LiveRuntime
from scenarios.calibrate.option import add_calibration
from scenarios.chosenpersonality import add_personality, personality_overrides
from scenarios.engine.checks import bound_of, format_value
from scenarios.engine.clocks import CLOCKS, LEVELS, Clock, Fidelity, run_on
from scenarios.engine.evidence import Evidence
from scenarios.engine.loader import catalog, load
from scenarios.engine.progress import Lines, LiveTable, Progress
from scenarios.engine.rehearsal.show import acts_table
from scenarios.engine.result import Result
from scenarios.engine.runner import Load, Run
from scenarios.engine.schema import Scenario
from scenarios.engine.story.entries import entries
from scenarios.engine.story.recording import Recording
from scenarios.engine.story.text import story
from scenarios.engine.trial import verdict

HELD, FELL_SHORT, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130
MAX_SEED = 2**63 - 1
MAX_RUNS = 100_000
SHOWN_VIOLATIONS = 10
STORY_LINES = 60
"""Lines on how it came to the violations; ``timeline.txt`` of the report has no such limit."""
STYLES = {
    "passed": "green",
    "held": "green",
    "failed": "bold red",
    "violated": "bold red",
    "not judged": "yellow",
    "inconclusive": "yellow",
}


def register(subparsers: Any) -> None:
    """Add ``run`` to the command's subparsers."""
    parser = subparsers.add_parser(
        "run",
        help="run a scenario and judge it",
        description="Run a scenario against the real controller, live or in virtual time.",
        epilog="Exit codes: 0 everything held, 1 something fell short, 2 bad input, "
        "130 interrupted.",
    )
    parser.add_argument("scenario", nargs="?", metavar="NAME|FILE", help="see --list, or a file")
    parser.add_argument("--clock", choices=("live", "virtual"), help="default: live")
    parser.add_argument(
        "--fidelity",
        choices=LEVELS,
        help="code is --clock virtual, live is --clock live; model plays a queueing model of the "
        "scenario some times, in a fraction of a second, and judges no invariant",
    )
    parser.add_argument(
        "--runs",
        type=whole_number(1, MAX_RUNS),
        metavar="N",
        help="of the model, a seed each (default: 10)",
    )
    add_personality(parser)
    parser.add_argument("--seed", type=seed, default=1, metavar="N", help="default: 1")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="overrides",
        metavar="PATH=VALUE",
        help="change a field of the scenario, as in load.machines=20; may be repeated",
    )
    add_calibration(parser)
    parser.add_argument("--report", type=Path, metavar="DIR", help="write report and result here")
    parser.add_argument("--output", choices=("text", "json"), default="text")
    parser.add_argument("--list", action="store_true", help="list the scenarios that come along")
    parser.add_argument(
        "--all", action="store_true", help="run all of these, one after the other, with a table"
    )
    parser.set_defaults(run=run)


def seed(text: str) -> int:
    """A seed from the command line. Raises ArgumentTypeError."""
    if not text.isascii() or not text.isdigit() or int(text[:20]) > MAX_SEED:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to {MAX_SEED}")
    return int(text)


def _level(args: argparse.Namespace) -> Fidelity:
    """Of ``--fidelity`` and ``--clock``. Raises ValueError where they contradict each other."""
    level: Fidelity = args.fidelity or ("code" if args.clock == "virtual" else "live")
    if args.clock is not None and CLOCKS.get(level) != args.clock:
        means = f"means --clock {CLOCKS[level]}" if level in CLOCKS else "has no clock"
        raise ValueError(f"--clock {args.clock}: --fidelity {level} {means}; give one of the two")
    if level != "model" and args.runs is not None:
        raise ValueError(f"--runs {args.runs}: only of --fidelity model; other runs are one each")
    if level != "model" and args.calibration is not None:
        raise ValueError(f"--calibration {args.calibration}: only of --fidelity model")
    if level == "model" and args.all:
        raise ValueError("--all: not with --fidelity model; give one scenario")
    return level


def run(args: argparse.Namespace) -> int:
    """Run as the arguments say; the exit code."""
    voice = Console(stderr=True, highlight=False)
    try:
        level = _level(args)
    except ValueError as error:
        say(voice, f"beskar7 run: {error}")
        return BAD_INPUT
    args.clock = CLOCKS.get(level)
    if args.list:
        return _list()
    if args.report is not None and args.report.exists() and not args.report.is_dir():
        say(voice, f"--report {args.report}: is a file; give a directory")
        return BAD_INPUT
    if args.all:
        from scenarios.runall import run_all  # its page of reports is nothing that one run needs

        return run_all(args, voice)
    if args.scenario is None:
        say(voice, "beskar7 run: which scenario? Give a name or a file; --list shows the names.")
        return BAD_INPUT
    try:
        scenario = load(args.scenario, [*personality_overrides(args), *args.overrides])
    except DocumentError as error:
        say(voice, str(error))
        return BAD_INPUT
    if level == "model":
        from scenarios.fidelity.modelrun import run_model  # scipy takes its time

        return run_model(scenario, args, voice)
    if args.clock == "live" and scenario.virtual_only:
        where = ", ".join(scenario.virtual_only)
        say(voice, f"{args.scenario}: {where}: only in virtual time; give --clock virtual")
        return BAD_INPUT
    return _run(scenario, args, voice)


def say(voice: Console, text: str) -> None:
    """A message as it is: neither markup nor folded, so that it can be copied and searched."""
    voice.print(Text(text), soft_wrap=True)


def _list() -> int:
    for name, path in catalog().items():
        try:
            described = " ".join(load(str(path)).description.split())
        except DocumentError as error:
            described = f"(broken: {error.problems[0]})"
        sys.stdout.write(f"{name}\n    {described}\n")
    return HELD


def _run(scenario: Scenario, args: argparse.Namespace, voice: Console) -> int:
    evidence, wall_seconds = attempt(scenario, args.clock, args.seed, voice)
    try:
        code = conclude(evidence, args, voice, wall_seconds)
    except KeyboardInterrupt:
        say(voice, "Interrupted: the world is down, but the report is not complete.")
        return INTERRUPTED
    return INTERRUPTED if evidence.ending == "interrupted" else code


def attempt(
    scenario: Scenario, clock: Clock, seed: int, voice: Console, load: Load | None = None
) -> tuple[Evidence, float]:
    """Run it and show its progress; what it left, and the seconds of wall time that it took.

    ``load`` as in :class:`Run`. Ctrl-C ends it, as ``interrupted``.
    """
    stopwatch = LiveRuntime().now
    progress: Progress
    if voice.is_terminal:
        progress = LiveTable(voice, scenario.name, stopwatch)
    else:
        progress = Lines(sys.stderr, stopwatch)
    began = stopwatch()
    running = Run(scenario, clock=clock, seed=seed, progress=progress, load=load)
    try:
        run_on(clock, scenario, seed, running.body)
    except KeyboardInterrupt:
        running.evidence.ending, running.evidence.reason = "interrupted", "by the user"
    finally:
        progress.close()
    return running.evidence, stopwatch() - began


def conclude(
    evidence: Evidence, args: argparse.Namespace, voice: Console, wall_seconds: float
) -> int:
    """Judge, keep and tell; the exit code for the verdict."""
    result = verdict(evidence, wall_seconds)
    try:
        kept = _keep(result, args.report)
    except OSError as error:
        say(voice, f"--report {args.report}: {error.strerror or error}")
        return BAD_INPUT
    if args.output == "json":
        sys.stdout.write(orjson.dumps(result.to_json(), option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        _tell(result, Console(highlight=False))
    for path in kept:
        say(voice, f"written: {path}")
    if evidence.ending == "interrupted":
        logs = f"{len(evidence.history.writes)} API writes"
        logs += f" and {len(evidence.requests)} BMC requests"
        where = "kept in the report" if kept else "not kept; --report DIR keeps them"
        say(voice, f"Interrupted: the world is down; {logs} until then are {where}.")
    return HELD if result.passed else FELL_SHORT


def _keep(result: Result, folder: Path | None) -> list[Path]:
    """The report and the verdict, and the timelines where they show a violation."""
    if folder is None:
        return []
    from scenarios.engine.keeping import save  # jinja2 takes its time; only who reports needs it

    return save(result, folder)[: 4 if result.violations else 2]


def _tell(result: Result, console: Console) -> None:
    """Tables, violations, and the verdict as the last line but one: what a person looks for."""
    if result.evidence.parts:
        console.print(acts_table(result.evidence.parts))
    if result.checks:
        table = Table("check", "bound", "value", "outcome", box=None, header_style="bold")
        for item in result.checks:
            bound, limit = bound_of(item.check)
            table.add_row(
                item.check.measure,
                f"{bound} {format_value(limit, item.check.unit)}",
                format_value(item.value, item.check.unit),
                Text(item.outcome, style=STYLES[item.outcome]),
            )
        console.print(table)
    table = Table("invariant", "cases", "verdict", "", box=None, header_style="bold")
    for invariant in result.invariants:
        if invariant.idle:
            continue
        table.add_row(
            invariant.name,
            str(invariant.cases),
            Text(invariant.verdict, style=STYLES[invariant.verdict]),
            Text(invariant.reason),
        )
    console.print(table)
    if idle := [invariant.name for invariant in result.invariants if invariant.idle]:
        console.print(Text(f" nothing to judge: {', '.join(idle)}", style="dim"), soft_wrap=True)
    for violation in result.violations[:SHOWN_VIOLATIONS]:
        time = violation.time - result.evidence.origin
        where = " ".join(part for part in (violation.host, violation.machine) if part)
        line = f"{violation.invariant} at {time:.3f} s, {where}: {violation.detail}"
        console.print(Text(line, style="red"), soft_wrap=True)
    if len(result.violations) > SHOWN_VIOLATIONS:
        console.print(f"... and {len(result.violations) - SHOWN_VIOLATIONS} more violations")
    if result.violations:
        recording = Recording.of(result)
        text = story(recording, entries(recording), STORY_LINES)
        console.print(Text("\n" + text), soft_wrap=True)
    if result.bottleneck:
        said = f"No verdict on speed: the harness was the bottleneck ({result.bottleneck})."
        console.print(Text(said, style="yellow"), soft_wrap=True)
    style = "bold green" if result.passed else "bold red"
    console.print(Text(result.verdict(), style=style), soft_wrap=True)
    if result.evidence.trace_hash:
        console.print(f"trace hash {result.evidence.trace_hash}")
