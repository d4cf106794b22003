"""``beskar7 load SHAPE``: Locust's load on a lab of its own, on a cluster, or in virtual time."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console

from beskar7.api.problems import DocumentError
from beskar7.operations.options import whole_number
from beskar7.runtime import LiveRuntime
from loadtest.lifecycle import AGENT_NAME, LEFT_BEHIND, MANAGED_BY
from loadtest.report import render
from loadtest.shapes import SHAPES, Shape, ShapeError, Size, shape
from loadtest.thresholds import ThresholdError
from loadtest.thresholds import load as load_thresholds
from scenarios.command import (
    BAD_INPUT,
    FELL_SHORT,
    HELD,
    INTERRUPTED,
    attempt,
    conclude,
    say,
    seed,
)
from scenarios.engine.keeping import REPORT, RESULT
from scenarios.load.cluster import result_of
from scenarios.load.locust import LocustError, Order, locust_load, on_cluster
from scenarios.load.page import load_page
from scenarios.load.people import people
from scenarios.load.world import scenario
from scenarios.pages.page import save

COUNT = whole_number(1, 10_000)
STANDARD, LEADER = "standard", "leader"


def register(subparsers: Any) -> None:
    """Add ``load`` to the command's subparsers."""
    shapes = "\n".join(f"  {name:<11} {shape(name).description}" for name in SHAPES)
    parser = subparsers.add_parser(
        "load",
        help="put load on: many machines by Locust, on a lab, a cluster or in virtual time",
        description=f"Ask for many machines in one of these shapes:\n\n{shapes}",
        epilog="Exit codes: 0 every promise and threshold held, 1 one did not, 2 bad input, "
        "130 interrupted.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("shape", choices=SHAPES, metavar="SHAPE", help="see above")
    add("--machines", type=COUNT, metavar="N", help="how many machines (sustained: see --rate)")
    add("--rate", type=_number, metavar="R", help="machines a second, of sustained")
    add("--duration", type=_number, metavar="S", help="seconds, of sustained and soak")
    add("--hold", type=_number, metavar="S", help="seconds for which a machine is kept")
    add("--mode", choices=(STANDARD, LEADER), default=STANDARD, help="who claims hosts")
    add("--hosts", type=COUNT, metavar="N", help="of the lab (default: one for each machine)")
    add("--managers", type=COUNT, default=2, metavar="N", help="of the lab (default: 2)")
    add("--clock", choices=("live", "virtual"), default="live")
    add("--seed", type=seed, default=1, metavar="N", help="default: 1")
    add(
        "--set", action="append", default=[], metavar="PATH=VALUE", help="change the lab's scenario"
    )
    add("--kubeconfig", type=Path, metavar="FILE", help="no lab: this cluster")
    add("--namespace", metavar="NAME", help="where machines are asked for on a cluster")
    add("--processes", type=COUNT, metavar="N", help="Locust's workers (default: one process)")
    add("--operators", type=COUNT, default=0, metavar="N", help="people who look on beside it")
    add("--redfish-clients", type=COUNT, default=0, metavar="N", help="clients of the BMCs")
    add("--chaos-every", type=_number, metavar="S", help="a manager is killed each so many seconds")
    add("--thresholds", type=Path, metavar="FILE", help="bounds that decide the exit code")
    add("--web", type=_port, metavar="PORT", help="Locust's page, and /beskar7 on it, meanwhile")
    add("--report", type=Path, metavar="DIR", help="write report, result and Locust's files here")
    add("--output", choices=("text", "json"), default="text")
    parser.set_defaults(run=run)


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: 1 to 65535")
    return int(text)


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0.0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return value


def run(args: argparse.Namespace) -> int:
    """Run as the arguments say; the exit code."""
    voice = Console(stderr=True, highlight=False)
    try:
        made = shape(args.shape, Size(args.machines, args.rate, args.duration, args.hold))
        _consistent(args)
        if args.kubeconfig is not None:
            return _on_cluster(made, args, voice)
        return _in_world(made, args, voice)
    except (DocumentError, ShapeError, ThresholdError) as error:
        say(voice, f"beskar7 load: {error}")
        return BAD_INPUT


def _consistent(args: argparse.Namespace) -> None:
    """Raises ShapeError, ThresholdError."""
    if args.thresholds is not None:
        load_thresholds(args.thresholds)
    if args.report is not None and args.report.exists() and not args.report.is_dir():
        raise ShapeError(f"--report {args.report}: is a file; give a directory")
    lab = [
        name
        for name, given in (
            ("--hosts", args.hosts is not None),
            ("--set", bool(args.set)),
            ("--mode", args.mode != STANDARD),
            ("--clock", args.clock == "virtual"),
        )
        if given
    ]
    if args.kubeconfig is not None and lab:
        raise ShapeError(f"{', '.join(lab)}: of the lab, and --kubeconfig means there is none")
    client = [
        name
        for name, given in (
            ("--processes", args.processes),
            ("--operators", args.operators),
            ("--redfish-clients", args.redfish_clients),
            ("--chaos-every", args.chaos_every),
            ("--thresholds", args.thresholds),
            ("--web", args.web),
        )
        if given
    ]
    if args.clock == "virtual" and client:
        raise ShapeError(f"{', '.join(client)}: of Locust, which --clock virtual does without")
    if args.clock == "live" and find_spec("locust") is None:
        raise ShapeError(
            "Locust is not installed; `make load` installs it, as does the extra `load` of "
            "beskar7-harness. --clock virtual does without"
        )
    if args.namespace is not None and args.kubeconfig is None:
        raise ShapeError("--namespace: belongs to --kubeconfig")


def _in_world(made: Shape, args: argparse.Namespace, voice: Console) -> int:
    world = scenario(
        made,
        hosts=args.hosts,
        managers=args.managers,
        leader=args.mode == LEADER,
        pods=args.chaos_every is not None,
        overrides=args.set,
    )
    if args.clock == "virtual":
        load = people(made)
    else:
        if args.web is not None:
            say(voice, f"Locust's page: http://127.0.0.1:{args.web}/ and /beskar7 there")
        load = locust_load(_order(made, args))
    evidence, wall_seconds = attempt(world, args.clock, args.seed, voice, load)
    if evidence.client is not None and args.output == "text":
        say(Console(highlight=False), render(evidence.client) + "\n")
    code = conclude(evidence, args, voice, wall_seconds)
    return INTERRUPTED if evidence.ending == "interrupted" else code


def _on_cluster(made: Shape, args: argparse.Namespace, voice: Console) -> int:
    stopwatch = LiveRuntime().now
    began = stopwatch()
    say(voice, f"{made.machines} machines on the cluster of {args.kubeconfig}: {made.description}")
    try:
        found, interrupted = on_cluster(_order(made, args), str(args.kubeconfig))
    except LocustError as error:
        say(voice, f"beskar7 load: {error}")
        return BAD_INPUT
    result = result_of(made, found, stopwatch() - began, interrupted=interrupted)
    document = orjson.dumps(result, option=orjson.OPT_INDENT_2) + b"\n"
    if args.report is not None:
        (args.report / RESULT).write_bytes(document)
        save(load_page(made, found, shlex.join(["beskar7", *sys.argv[1:]])), args.report / REPORT)
        say(voice, f"written: {args.report / REPORT}")
        say(voice, f"written: {args.report / RESULT}")
    if args.output == "json":
        sys.stdout.write(document.decode())
    else:
        say(Console(highlight=False), render(found))
    if interrupted:
        say(voice, f"Interrupted. {_left(found)}")
        return INTERRUPTED
    if "refused" in found:
        return BAD_INPUT
    return HELD if found["passed"] else FELL_SHORT


def _left(found: Mapping[str, Any]) -> str:
    """What became of the machines that users had when they were stopped."""
    count = found["outcomes"].get(LEFT_BEHIND, 0)
    if not count:
        return "Users gave back the machines that they had."
    label = f"{MANAGED_BY}={AGENT_NAME}"
    return (
        f"Machines left behind: {count}; delete them with"
        f" `kubectl -n {found['namespace']} delete beskar7machines -l {label}`."
    )


def _order(made: Shape, args: argparse.Namespace) -> Order:
    arguments = ["--shape", made.name]
    # What the shape takes for itself where nothing is said, it takes in Locust's process too.
    for option, value in (
        ("--machines", args.machines),
        ("--rate", args.rate),
        ("--shape-seconds", args.duration),
        ("--shape-hold", args.hold),
        ("--namespace", args.namespace),
        ("--processes", args.processes),
        ("--operators", args.operators or None),
        ("--redfish-clients", args.redfish_clients or None),
        ("--chaos-every", args.chaos_every),
        ("--thresholds", args.thresholds and os.path.abspath(args.thresholds)),
    ):
        if value is not None:
            arguments += [option, str(value)]
    return Order(tuple(arguments), args.report, args.web)
