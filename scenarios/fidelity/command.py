"""``beskar7 fidelity``: the same scenarios at several levels, and how far these are apart."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console

from beskar7.api.problems import DocumentError
from beskar7.operations.options import whole_number
from beskar7.runtime import LiveRuntime
from scenarios.calibrate.option import add_calibration, calibration_of
from scenarios.command import BAD_INPUT, FELL_SHORT, HELD, INTERRUPTED, say, seed
from scenarios.engine.clocks import LEVELS, Fidelity
from scenarios.engine.schema import Scenario
from scenarios.parallel.options import add_workers

MAX_SEEDS = 1000
RUNS = "runs.jsonl"
PAGE = "fidelity.html"


def register(subparsers: Any) -> None:
    """Add ``fidelity`` to the command's subparsers."""
    parser = subparsers.add_parser(
        "fidelity",
        help="compare the model with the code, and the code in virtual time with real processes",
        description="Play the same scenarios at several levels (a queueing model, the controller "
        "in virtual time, real processes), and print the error of each level against the next. "
        "What was played at code and live is kept, and not played again.",
        epilog="Exit codes: 0 done, 1 a run of the controller fell short, 2 bad input, "
        "130 interrupted.",
    )
    parser.add_argument("scenarios", nargs="*", metavar="NAME|FILE", help="default: those of --set")
    parser.add_argument(
        "--set",
        choices=("small", "full"),
        dest="which",
        help="of the scenarios that come along for this (default: small)",
    )
    parser.add_argument(
        "--levels",
        type=_levels,
        default=("model", "code"),
        metavar="A,B",
        help="of model, code and live (default: model,code)",
    )
    parser.add_argument(
        "--seeds",
        type=whole_number(1, MAX_SEEDS),
        default=3,
        metavar="N",
        help="runs of each scenario and level (default: 3)",
    )
    parser.add_argument(
        "--seed", type=seed, default=1, metavar="N", help="the first of them (default: 1)"
    )
    add_calibration(parser)
    add_workers(parser)
    parser.add_argument(
        "--report",
        type=Path,
        default=Path("out/fidelity"),
        metavar="DIR",
        help=f"for the page, and for {RUNS}, the runs that are kept (default: out/fidelity)",
    )
    parser.add_argument(
        "--again", action="store_true", help="play also what is kept, as after a change of the code"
    )
    parser.add_argument("--output", choices=("text", "json"), default="text")
    parser.set_defaults(run=run)


def _levels(text: str) -> tuple[Fidelity, ...]:
    """Two at least, from the fastest on. Raises ArgumentTypeError."""
    words = text.split(",")
    for word in words:
        if word not in LEVELS:
            raise argparse.ArgumentTypeError(f"{word!r} is not a level: {', '.join(LEVELS)}")
    found = tuple(level for level in LEVELS if level in words)
    if len(found) < 2:
        raise argparse.ArgumentTypeError(f"{text!r}: give two levels to compare, as model,code")
    return found


def run(args: argparse.Namespace) -> int:
    """Run as the arguments say; the exit code."""
    from scenarios.fidelity.page import machine
    from scenarios.fidelity.page import page as report
    from scenarios.fidelity.session import NoSession, Session  # scipy takes its time
    from scenarios.fidelity.show import tell
    from scenarios.pages.page import save

    voice = Console(stderr=True, highlight=False)
    try:
        scenarios = _chosen(args)
        times = calibration_of(args)
        session = Session(scenarios, args.levels, args.seed, args.seeds, args.report / RUNS, times)
        ending = session.play(args, voice, LiveRuntime().now)
    except (DocumentError, NoSession) as error:
        say(voice, str(error))
        return BAD_INPUT
    pairs = session.pairs()
    page = args.report / PAGE
    try:
        save(report(pairs, _seeds(args), _words(args), machine()), page)
        say(voice, f"written: {page}")
    except OSError as error:
        say(voice, f"--report {args.report}: {error.strerror or error}")
        return BAD_INPUT
    if args.output == "json":
        sys.stdout.write(orjson.dumps(session.to_json(), option=orjson.OPT_INDENT_2).decode())
        sys.stdout.write("\n")
    else:
        tell(pairs, Console(highlight=False))
    if ending == "interrupted":
        say(voice, f"Interrupted: {session.said}; the same command goes on from there.")
        return INTERRUPTED
    return FELL_SHORT if session.fell_short else HELD


def _seeds(args: argparse.Namespace) -> str:
    last = args.seed + args.seeds - 1
    return f"seed {last}" if last == args.seed else f"seeds {args.seed} to {last}"


def _words(args: argparse.Namespace) -> str:
    """The command that plays the same again."""
    which = args.scenarios or ["--set", args.which or "small"]
    own = ["--levels", ",".join(args.levels), "--seeds", str(args.seeds), "--seed", str(args.seed)]
    if args.calibration is not None:
        own += ["--calibration", str(args.calibration)]
    return shlex.join(["beskar7", "fidelity", *which, *own])


def _chosen(args: argparse.Namespace) -> Sequence[Scenario]:
    """Raises DocumentError and NoSession."""
    from scenarios.fidelity.scenarioset import SMALL, known, read
    from scenarios.fidelity.session import NoSession

    if args.scenarios and args.which:
        raise NoSession(f"--set {args.which}: give the set or names, not both")
    names = args.scenarios or (tuple(known()) if args.which == "full" else SMALL)
    found = [read(name) for name in dict.fromkeys(names)]
    by_name: dict[str, str] = {}
    for name, scenario in zip(dict.fromkeys(names), found, strict=True):
        other = by_name.setdefault(scenario.name, name)
        if other != name:
            raise NoSession(f"{name}: has the name of {other}, {scenario.name}; give it its own")
        if "live" in args.levels and scenario.virtual_only:
            where = ", ".join(scenario.virtual_only)
            raise NoSession(f"{name}: {where}: only in virtual time; leave live out of --levels")
    return found
