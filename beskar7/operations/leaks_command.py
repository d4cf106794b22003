"""``beskar7 leaks``: do the managers' memory and tasks grow without end?"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape

from beskar7.api.durations import format_duration
from beskar7.cli import UsageError
from beskar7.operations.options import (
    DONE,
    FOUND,
    INTERRUPTED,
    add_cluster_options,
    bounded_number,
    open_cluster,
    print_json,
    progress,
)

if TYPE_CHECKING:
    from beskar7.operations.leaks import Leaks
    from beskar7.operations.leaks_verdict import Judgement

MEBI = 2.0**20
MAX_MINUTES = 7 * 24 * 60.0
EVERY_AT_MOST = 3600.0
PROFILING = (
    "kubectl patch configmap beskar7-config -n {namespace} "
    """--patch '{{"data":{{"metrics.enableProfiling":"true"}}}}'"""
)
COLOURS = {"leak": "red", "no leak": "green", "not enough data": "yellow"}


def register(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "leaks",
        help="watch the managers' memory and tasks, and say whether they leak",
        description="Look at each manager's memory and tasks again and again, and judge whether "
        "they grow for ever: by a robust slope, apart from what a changing load explains, each "
        "life of a process by itself.",
        epilog="Exit codes: 0 no leak; 1 a leak, or not enough data to tell; 2 bad input or no "
        "cluster; 130 interrupted, with the verdict on what there was.",
    )
    parser.add_argument(
        "--minutes",
        type=bounded_number(0.05, MAX_MINUTES),
        default=10.0,
        metavar="M",
        help="how long (default: 10)",
    )
    parser.add_argument(
        "--every",
        type=bounded_number(0.2, EVERY_AT_MOST),
        default=10.0,
        metavar="S",
        help="seconds between samples (default: 10)",
    )
    add_cluster_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Watch as the arguments say; the exit code."""
    from beskar7.operations.leaks import leaks
    from beskar7.operations.leaks_verdict import NO_LEAK

    if args.every > args.minutes * 60.0:
        raise UsageError(
            f"leaks: --every {args.every:g} is longer than --minutes {args.minutes:g}: "
            "one sample is no trend"
        )
    with open_cluster(args) as cluster, progress("looking") as tell:
        found = leaks(cluster, args.minutes * 60.0, args.every, tell)
    if args.output == "json":
        print_json(found.to_json())
    else:
        show(found, Console(highlight=False, soft_wrap=True), args.namespace)
    if found.watch.interrupted:
        sys.stderr.write("beskar7: interrupted; the verdict is on what there was\n")
        return INTERRUPTED
    return DONE if found.verdict == NO_LEAK else FOUND


def show(found: Leaks, console: Console, namespace: str) -> None:
    """Text for people."""
    for manager in found.managers:
        console.print(f"[bold]{escape(manager.manager)}[/bold]")
        for each in manager.judgements:
            colour = COLOURS[each.verdict]
            console.print(
                f"  {each.of:<7}[{colour}]{each.verdict}[/{colour}]: {escape(each.reason)}"
            )
            if each.first is not None:
                console.print(f"         {escape(_figures(each))}")
    for manager in found.managers:
        if manager.restarts:
            console.print(
                f"{escape(manager.manager)} was started again {manager.restarts} times while it "
                "was watched; each life is judged by itself"
            )
        for name, by in manager.grown_tasks:
            console.print(f"{escape(manager.manager)}: {by:+d} tasks {escape(name)}")
        for place, size in manager.grown_sites:
            console.print(f"{escape(manager.manager)}: {size / 1024:+.0f} KiB by {escape(place)}")
        if manager.verdict == "leak" and not manager.grown_sites:
            console.print(
                f"where it is allocated is told with: {PROFILING.format(namespace=namespace)}"
            )
    for note in found.watch.notes:
        console.print(f"[yellow]{escape(note)}[/yellow]")
    if not found.managers:
        console.print(f"no manager answers in namespace {escape(namespace)}")
    length = format_duration(round(found.watch.seconds))
    colour = COLOURS[found.verdict]
    samples = f"{found.watch.count} samples in {length}"
    console.print(f"\n[{colour}]{found.verdict}[/{colour}] ({samples})")


def _figures(each: Judgement) -> str:
    length = format_duration(round(each.seconds))
    told = f"{_size(each, each.first)} to {_size(each, each.last)}"
    if each.per_hour is not None:
        within = f"{_bare(each, each.low)} to {_bare(each, each.high)}"
        told += f", {_size(each, each.per_hour, sign=True)} an hour (95% within {within})"
    if each.per_load:
        unit = f"{each.per_load / 1024:.1f} KiB" if each.of == "memory" else f"{each.per_load:.2f}"
        told += f", {unit} for each host and machine"
    return f"{told}; {each.samples} samples in {length}"


def _size(each: Judgement, value: float | None, *, sign: bool = False) -> str:
    if value is None:
        return "-"
    unit = " MiB" if each.of == "memory" else ""
    return _bare(each, value, sign=sign) + unit


def _bare(each: Judgement, value: float | None, *, sign: bool = True) -> str:
    shown = (value or 0.0) / MEBI if each.of == "memory" else (value or 0.0)
    return f"{shown:+.1f}" if sign else f"{shown:.1f}"
