"""``beskar7 plan``: which configuration keeps a promise, and how sure that is."""

from __future__ import annotations

import argparse
import shlex
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console

from beskar7.api.durations import format_duration
from beskar7.api.problems import DocumentError
from beskar7.cli import UsageError
from beskar7.manifests.rights import NAMESPACE
from beskar7.operations.options import (
    bounded_number,
    whole_number,
)
from beskar7.runtime import LiveRuntime
from scenarios.calibrate.option import add_calibration, calibration_of
from scenarios.command import BAD_INPUT, FELL_SHORT, HELD, INTERRUPTED, say, seed
from scenarios.engine.loader import build
from scenarios.engine.objectives import EXAMPLE, MOST, ObjectiveError, parse_objective
from scenarios.models.known import NotModelled
from scenarios.models.learn import NotLearned
from scenarios.parallel.jobs import BackendError
from scenarios.parallel.options import add_workers, workers_of
from scenarios.planner.axes import AxisError
from scenarios.planner.certainty import TooFewRuns, least_runs
from scenarios.planner.costs import CostError, weights
from scenarios.planner.demand import DemandError
from scenarios.planner.plan import Plan, Wish, make_plan
from scenarios.planner.sources import DEFAULT_HISTORY, add_sources, source_of
from scenarios.swarm.tally import LiveLine

MOST_RUNS = 1000
DEFAULT_CONFIDENCE = 0.95
EXIT = {"held": HELD, "found": HELD, "interrupted": INTERRUPTED}
BAD = (
    *(DocumentError, DemandError, ObjectiveError, CostError, AxisError, TooFewRuns),
    *(NotModelled, NotLearned, BackendError),
)
"""What a user asked for and cannot be had; each says in words what would be right."""


def register(subparsers: Any) -> None:
    """Add ``plan`` to the command's subparsers."""
    parser = subparsers.add_parser(
        "plan",
        help="find the cheapest configuration that keeps an objective",
        description="Search workers, limits, cooldowns, hosts and more for the cheapest "
        "configuration that keeps the objectives, by the model; verify it by the controller in "
        "virtual time.",
        epilog="Exit codes: 0 there is a plan, 1 there is none, 2 bad input, 130 interrupted.",
    )
    add_sources(parser)
    parser.add_argument(
        "--slo",
        action="append",
        default=[],
        dest="objectives",
        metavar="OBJECTIVE",
        help=f"such as {EXAMPLE!r}; may be repeated (default: the file's objectives)",
    )
    parser.add_argument(
        "--range",
        action="append",
        default=[],
        dest="ranges",
        metavar="AXIS=LOW..HIGH",
        help="what to search on an axis, as in workers=3..20 or mode=leader; may be repeated",
    )
    parser.add_argument(
        "--cost",
        action="append",
        default=[],
        metavar="AXIS=WEIGHT",
        help="of a unit of an axis, as in hosts=10; may be repeated",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="overrides",
        metavar="PATH=VALUE",
        help="change a field of the scenario; may be repeated",
    )
    parser.add_argument(
        "--confidence",
        type=bounded_number(0.5, 0.999),
        default=DEFAULT_CONFIDENCE,
        metavar="SHARE",
        help="with which the next run keeps the objectives (default: 0.95)",
    )
    parser.add_argument(
        "--runs",
        type=whole_number(1, MOST_RUNS),
        metavar="N",
        help="to judge a candidate by (default: the least that give the confidence, 19)",
    )
    parser.add_argument(
        "--verify",
        choices=("code", "live", "none"),
        default="code",
        help="by the controller in virtual time (default), in wall time, or not at all",
    )
    add_calibration(parser)
    parser.add_argument("--seed", type=seed, default=1, metavar="N", help="the first (default: 1)")
    parser.add_argument("--report", type=Path, metavar="DIR", help="write the plan here")
    add_workers(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Plan as the arguments say; the exit code."""
    voice = Console(stderr=True, highlight=False)
    line = LiveLine(voice, LiveRuntime().now)
    try:
        if args.report is not None and args.report.exists() and not args.report.is_dir():
            raise UsageError(f"--report {args.report}: is a file; give a directory")
        wish = _wish(args, line)
        plan = make_plan(wish, lambda text: line.update(lambda _: text()))
    except KeyboardInterrupt:
        line.say("Interrupted before anything was found that serves.")
        return INTERRUPTED
    except BAD as error:
        line.say(str(error))
        return BAD_INPUT
    finally:
        line.close()
    return _conclude(plan, args, voice)


def _wish(args: argparse.Namespace, line: LiveLine) -> Wish:
    """What the arguments ask for. Raises one of :data:`BAD`, or UsageError."""
    found = source_of(args, line.say)
    if len(args.objectives) > MOST:
        raise UsageError(f"--slo: {len(args.objectives)} of them; the limit is {MOST}")
    objectives = tuple(map(parse_objective, args.objectives))
    objectives = objectives or build(deepcopy(found), args.overrides).objectives
    if not objectives:
        raise UsageError(f"which objective? Give --slo {EXAMPLE!r}, or objectives in the file")
    return Wish(
        document=found,
        overrides=args.overrides,
        objectives=objectives,
        weights=weights(args.cost),
        ranges=args.ranges,
        runs=args.runs or least_runs(args.confidence),
        confidence=args.confidence,
        seed=args.seed,
        verify=None if args.verify == "none" else args.verify,
        times=calibration_of(args),
        workers=workers_of(args),
    )


def command_of(args: argparse.Namespace) -> str:
    """The command that makes the same plan again."""
    words = ["beskar7", "plan"]
    if args.scenario is not None:
        words.append(args.scenario)
    if args.from_cluster:
        words.append("--from-cluster")
    for name in ("hosts", "machines", "vendors", "arrivals", "lifetime", "from_prometheus"):
        if (value := getattr(args, name)) is not None:
            words += [f"--{name.replace('_', '-')}", str(value)]
    for option, name in (("slo", "objectives"), ("range", "ranges"), ("cost", "cost")):
        for value in getattr(args, name):
            words += [f"--{option}", value]
    for value in args.overrides:
        words += ["--set", value]
    if args.from_prometheus is not None and args.history != DEFAULT_HISTORY:
        words += ["--history", format_duration(args.history)]
    if args.from_cluster:
        words += [] if args.kubeconfig is None else ["--kubeconfig", args.kubeconfig]
        words += [] if args.context is None else ["--context", args.context]
        words += [] if args.namespace == NAMESPACE else ["--namespace", args.namespace]
    if args.confidence != DEFAULT_CONFIDENCE:
        words += ["--confidence", f"{args.confidence:g}"]
    if args.runs is not None:
        words += ["--runs", str(args.runs)]
    if args.calibration is not None:
        words += ["--calibration", str(args.calibration)]
    if args.verify != "code":
        words += ["--verify", args.verify]
    return shlex.join([*words, "--seed", str(args.seed)])


def _conclude(plan: Plan, args: argparse.Namespace, voice: Console) -> int:
    # Late: jinja2 takes its time, and --help needs none.
    from scenarios.fidelity.page import machine
    from scenarios.pages.page import save
    from scenarios.planner.page import page
    from scenarios.planner.record import to_json
    from scenarios.planner.show import show

    command = command_of(args)
    record = orjson.dumps(to_json(plan, command), option=orjson.OPT_INDENT_2)
    if args.report is not None:
        try:
            args.report.mkdir(parents=True, exist_ok=True)
            (args.report / "plan.json").write_bytes(record + b"\n")
            made = f"in {plan.wall_seconds:.0f} s {machine()}"
            save(page(plan, command, made), args.report / "plan.html")
            if plan.applied is not None:
                path = args.report / "beskar7-config.yaml"
                path.write_text(plan.applied.config_map, encoding="utf-8")
        except OSError as error:
            say(voice, f"--report {args.report}: {error.strerror or error}")
            return BAD_INPUT
    if args.output == "json":
        sys.stdout.write(record.decode() + "\n")
    else:
        show(plan, Console(highlight=False))
        sys.stdout.write(f"again: {command}\n")
    if args.report is not None:
        say(voice, f"written: {args.report}")
    return EXIT.get(plan.ending, FELL_SHORT)
