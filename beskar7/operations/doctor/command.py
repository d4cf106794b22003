"""``beskar7 doctor``: what is the matter with an installation, and what to do about it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from rich.console import Console

from beskar7.operations.options import (
    DONE,
    FOUND,
    add_cluster_options,
    bounded_duration,
    open_cluster,
    print_json,
)

if TYPE_CHECKING:
    from beskar7.operations.doctor.diagnosis import Diagnosis

WINDOW = 5.0
"""Seconds between the two readings of the counters."""
RECENT = 600.0
WIDTH = 120
"""Columns where there is no terminal that says how many it has."""


def register(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "doctor",
        help="tell what is the matter with an installation, and what to do",
        description="Look at the Deployment, leases, configuration, hosts, machines, claims, "
        "queue, BMCs, Events, logs and resources, and say what was found.",
        epilog="Exit codes: 0 healthy, or notices only; 1 warnings, or worse; 2 bad input, or no "
        "cluster. docs/operations.md has all findings.",
    )
    parser.add_argument(
        "--window",
        type=bounded_duration(0.0, 3600.0),
        default=WINDOW,
        metavar="TIME",
        help="over which rates are measured (default: 5s); 0s: since the managers' start",
    )
    parser.add_argument(
        "--recent",
        type=bounded_duration(1.0, 86_400.0),
        default=RECENT,
        metavar="TIME",
        help="how far back Events, logs and restarts are looked at (default: 10m)",
    )
    add_cluster_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Look once; the exit code."""
    from beskar7.operations.doctor.judging import diagnose

    with open_cluster(args) as cluster:
        found = diagnose(cluster, window=args.window, recent=args.recent)
    show(found, args.output)
    return DONE if found.healthy else FOUND


def show(found: Diagnosis, output: str) -> None:
    """On standard output, in the form asked for."""
    from beskar7.operations.doctor.text import rendered

    if output == "json":
        print_json(found.to_json())
    else:
        console = Console(highlight=False)
        if not console.is_terminal:
            console.width = WIDTH
        console.print(rendered(found))
