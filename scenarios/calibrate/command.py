"""``beskar7 calibrate``: the times that the model needs, measured in a run of the controller."""

from __future__ import annotations

import argparse
import os
import platform
import shlex
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from beskar7.api.problems import DocumentError
from scenarios.calibrate.agreement import Agreement, agreement
from scenarios.calibrate.files import save
from scenarios.calibrate.fit import LEAST, Measured, calibration, measured
from scenarios.command import BAD_INPUT, FELL_SHORT, HELD, INTERRUPTED, attempt, say, seed
from scenarios.engine.clocks import CLOCKS, Fidelity
from scenarios.engine.loader import load
from scenarios.engine.result import Result
from scenarios.engine.schema import Scenario
from scenarios.engine.trial import verdict
from scenarios.models.known import NotModelled, check
from scenarios.models.learn import NotLearned

FROM: tuple[Fidelity, ...] = ("live", "code")
BUSY = 1.0
"""Processes that want to run for each core, beyond which a machine is too busy to measure on."""

OTHERS = "other processes wanted the machine"


def register(subparsers: Any) -> None:
    """Add ``calibrate`` to the command's subparsers."""
    parser = subparsers.add_parser(
        "calibrate",
        help="measure the times that the model takes from runs",
        description="Run a scenario and measure in it what the model does not compute: the times "
        "of the API, of watches and of reconciles. The file is for --calibration of the commands "
        "that play the model.",
        epilog="Exit codes: 0 measured, 1 the run did not serve for it, 2 bad input, "
        "130 interrupted.",
    )
    parser.add_argument(
        "scenario",
        nargs="?",
        metavar="NAME|FILE",
        help="what to run (default: a load made for it, of machines that come alone and at once)",
    )
    parser.add_argument(
        "--from",
        dest="level",
        choices=FROM,
        default="live",
        help="the controller in wall time, or in virtual time (default: live)",
    )
    parser.add_argument("--seed", type=seed, default=1, metavar="N", help="default: 1")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="overrides",
        metavar="PATH=VALUE",
        help="change a field of the scenario, as in load.machines=20; may be repeated",
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the calibration here")
    parser.add_argument(
        "--force",
        action="store_true",
        help="measure even where the harness was the bottleneck, or the machine is busy",
    )
    parser.set_defaults(run=run)


def probe() -> str:
    """The place of the scenario that is made for calibration."""
    return str(resources.files("scenarios") / "calibrate" / "probe.yaml")


def run(args: argparse.Namespace) -> int:
    """Run as the arguments say; the exit code."""
    voice = Console(stderr=True, highlight=False)
    if args.output is not None and args.output.is_dir():
        say(voice, f"--output {args.output}: is a directory; give a file")
        return BAD_INPUT
    try:
        scenario = load(args.scenario or probe(), args.overrides)
        check(scenario)
    except (DocumentError, NotModelled) as error:
        say(voice, str(error))
        return BAD_INPUT
    busy = too_busy(os.getloadavg()[0]) if args.level == "live" else ""
    if busy and not args.force:
        say(voice, busy)
        return FELL_SHORT
    evidence, wall_seconds = attempt(scenario, CLOCKS[args.level], args.seed, voice)
    if evidence.ending == "interrupted":
        say(voice, "Interrupted: the world is down, nothing was measured.")
        return INTERRUPTED
    result = verdict(evidence, wall_seconds)
    refused = unfit(result, args.force)
    if refused:
        say(voice, refused)
        return FELL_SHORT
    try:
        times = measured(evidence)
    except NotLearned as error:
        say(voice, f"The model could not learn the controller's operations: {error}")
        return FELL_SHORT
    about = _about(scenario, args, result.bottleneck or (OTHERS if busy else ""))
    _tell(times, Console(highlight=False))
    seen = agreement(scenario, args.seed, result.metrics, calibration(times, ""))
    _tell_agreement(seen, Console(highlight=False))
    if args.output is not None:
        try:
            save(args.output, times, about)
        except OSError as error:
            say(voice, f"--output {args.output}: {error.strerror or error}")
            return BAD_INPUT
        say(voice, f"written: {args.output}")
    return HELD


def too_busy(load: float) -> str:
    """Why nothing is to be measured on this machine, in words; empty if it can be.

    ``load``: how many processes want to run, as the system counts them over a minute.
    """
    cores = os.cpu_count() or 1
    if load <= BUSY * cores:
        return ""
    return (
        f"Nothing was measured: {load:.1f} processes want to run on {cores} cores already, so "
        "times would be theirs, too. Wait until they are done, or --force."
    )


def unfit(result: Result, force: bool) -> str:
    """Why nothing can be measured in the run, in words; empty if it can."""
    if result.evidence.ending != "settled":
        return f"Nothing was measured: {'; '.join(result.shortfalls())}."
    if result.bottleneck and not force:
        return (
            f"Nothing was measured: the harness was the bottleneck ({result.bottleneck}), so its "
            "times are not the controller's. Take a smaller load, or --force."
        )
    return ""


def _about(scenario: Scenario, args: argparse.Namespace, bottleneck: str) -> dict[str, object]:
    words = ["beskar7", "calibrate", *([args.scenario] if args.scenario else [])]
    words += ["--from", args.level, "--seed", str(args.seed)]
    for override in args.overrides:
        words += ["--set", override]
    return {
        "from": args.level,
        "scenario": scenario.name,
        "seed": args.seed,
        "cores": os.cpu_count() or 1,
        "python": platform.python_version(),
        "command": shlex.join(words),
        **({"bottleneck": bottleneck} if bottleneck else {}),
    }


def _tell(times: Sequence[Measured], console: Console) -> None:
    table = Table("time", "value", "samples", "mean", "95 %", "P95", header_style="bold", box=None)
    for time in times:
        value = f"{time.value:.3g}" if time.name == "api_sigma" else _milliseconds(time.value)
        row = [time.name, value, str(time.count)]
        if time.known:
            bounds = " to ".join(_milliseconds(bound) for bound in (time.low, time.high))
            row += [_milliseconds(time.mean), bounds, _milliseconds(time.p95)]
        else:
            row += ["-", f"fewer than {LEAST}: the default", "-"]
        table.add_row(*row)
    console.print(table)


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1e3:.3g} ms"


def _tell_agreement(seen: Sequence[Agreement], console: Console) -> None:
    head = ("measure", "this run", "model before", "error", "model calibrated", "error")
    table = Table(*head, header_style="bold", box=None)
    for row in seen:
        before, after = row.errors
        table.add_row(
            row.measure,
            _milliseconds(row.seen),
            _milliseconds(row.before),
            f"{before:.0%}",
            _milliseconds(row.after),
            f"{after:.0%}",
        )
    console.print()
    console.print(table)
