"""The options of ``beskar7 sweep``, and the sweep that they ask for."""

from __future__ import annotations

import argparse
from pathlib import Path

from beskar7.api.documents import read_file
from beskar7.api.problems import DocumentError, Problem, Where
from scenarios.calibrate.option import add_calibration, calibration_of
from scenarios.chosenpersonality import add_personality, personality_overrides
from scenarios.command import MAX_SEED
from scenarios.engine.clocks import LEVELS
from scenarios.engine.loader import find
from scenarios.parallel.options import add_workers
from scenarios.swarm.command import seeds
from scenarios.sweep.axes import Group, read_axis, zipped
from scenarios.sweep.design import Design, design


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("scenario", metavar="NAME|FILE", help="as for beskar7 run")
    parser.add_argument(
        "--grid",
        action="append",
        default=[],
        metavar="PATH=VALUES",
        help="values that a field takes: A,B,C or LOW..HIGH or LOW..HIGH:STEP; may be repeated, "
        "and every combination is played",
    )
    parser.add_argument(
        "--zip",
        action="append",
        nargs="+",
        default=[],
        metavar="PATH=VALUES",
        help="fields that take their values together, the first with the first",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="overrides",
        metavar="PATH=VALUE",
        help="as for beskar7 run, at every point",
    )
    add_personality(parser)
    parser.add_argument(
        "--seeds",
        type=bounded_seeds,
        default=range(1, 11),
        metavar="A..B",
        help="played at every point, so that all have the same luck (default: 1..10)",
    )
    parser.add_argument("--fidelity", choices=LEVELS, default="model", help="default: model")
    parser.add_argument("--measures", metavar="NAMES", help="to show, as in claim_seconds.p95,...")
    add_calibration(parser)
    add_workers(parser)
    parser.add_argument(
        "--report", type=Path, metavar="DIR", help="keep all runs, tables and a page here"
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on with the sweep that --report has"
    )
    parser.add_argument("--output", choices=("text", "json"), default="text")


def bounded_seeds(text: str) -> range:
    """``A..B`` or one seed. Raises ArgumentTypeError."""
    first, last = seeds(text)
    if last is None:
        raise argparse.ArgumentTypeError(f"{text!r} has no end; write A..B")
    return range(first, min(last, MAX_SEED) + 1)


def asked(args: argparse.Namespace) -> Design:
    """The sweep, with every point read. Raises DocumentError."""
    groups: list[Group] = [zipped([read_axis(text)], "--grid") for text in args.grid]
    groups += [zipped([read_axis(text, "--zip") for text in texts]) for texts in args.zip]
    if not groups:
        message = "what is to vary? As in --grid provisioning.workerCount=2,4,8"
        raise DocumentError([Problem(Where("--grid"), "", message)])
    if args.calibration is not None and args.fidelity != "model":
        where = Where(f"--calibration {args.calibration}")
        raise DocumentError([Problem(where, "", "only of --fidelity model")])
    return design(
        read_file(find(args.scenario)),
        source=args.scenario,
        groups=groups,
        seeds=args.seeds,
        fidelity=args.fidelity,
        overrides=[*personality_overrides(args), *args.overrides],
        times=calibration_of(args) if args.fidelity == "model" else None,
    )
