"""``beskar7 doctor``: what is the matter with an installation, and what to do about it."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from beskar7.cli import UsageError
from beskar7.operations.options import (
    DONE,
    FOUND,
    add_cluster_options,
    bounded_duration,
    console,
    open_cluster,
    print_json,
)

if TYPE_CHECKING:
    from beskar7.operations.doctor.diagnosis import Diagnosis
    from beskar7.operations.live import LiveCluster

WINDOW = 5.0
"""Seconds between the two readings of the counters."""
RECENT = 600.0
WATCH = 5.0
WEBHOOK = "BESKAR7_WEBHOOK"
"""The environment variable with the URL: whoever has it may post, so it is no argument."""


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
    manner = parser.add_mutually_exclusive_group()
    manner.add_argument(
        "--watch",
        type=bounded_duration(1.0, 3600.0),
        nargs="?",
        const=WATCH,
        metavar="TIME",
        help="look again every TIME (default: 5s) until Ctrl-C, and mark what has changed",
    )
    manner.add_argument(
        "--daily",
        action="store_true",
        help="for cron: rates since the last check, one line, a word to a webhook if need be",
    )
    daily = parser.add_argument_group(
        "with --daily",
        f"A message goes to the URL in ${WEBHOOK}, or in --webhook-file, when a finding is "
        "a warning or worse.",
    )
    daily.add_argument(
        "--webhook-file", type=Path, metavar="FILE", help="whose one line is the URL"
    )
    daily.add_argument(
        "--state",
        type=Path,
        metavar="FILE",
        help="what one check keeps for the next (default: beskar7/doctor.json in $XDG_STATE_HOME, "
        "else in ~/.local/state)",
    )
    daily.add_argument("--log", type=Path, metavar="FILE", help="append the line here, too")
    add_cluster_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Look once, daily, or again and again; the exit code."""
    from beskar7.operations.doctor.judging import diagnose

    if args.daily:
        return _daily(args)
    for name in ("webhook_file", "state", "log"):
        if getattr(args, name) is not None:
            raise UsageError(f"doctor: --{name.replace('_', '-')} belongs to --daily")
    with open_cluster(args) as cluster:
        if args.watch is not None:
            return _watch(args, cluster)
        found = diagnose(cluster, window=args.window, recent=args.recent)
    show(found, args.output)
    return DONE if found.healthy else FOUND


def show(found: Diagnosis, output: str) -> None:
    """On standard output, in the form asked for."""
    from beskar7.operations.doctor.text import rendered

    if output == "json":
        print_json(found.to_json())
    else:
        console().print(rendered(found))


def _watch(args: argparse.Namespace, cluster: LiveCluster) -> int:
    """Until Ctrl-C. With ``--output json`` each look is a line."""
    from beskar7.operations.doctor.text import rendered
    from beskar7.operations.doctor.watching import watch

    screen = console()
    for look in watch(cluster, args.watch, args.recent):
        found = look.diagnosis
        if args.output == "json":
            body = {"trouble": look.trouble} if found is None else found.to_json()
            sys.stdout.write(json.dumps(body) + "\n")
            sys.stdout.flush()
            continue
        if screen.is_terminal:
            screen.clear()
        if found is None:
            screen.print(f"[red]the API server does not answer:[/red] {escape(look.trouble)}")
        else:
            screen.print(rendered(found, look.changed, look.gone))
    return DONE


def _daily(args: argparse.Namespace) -> int:
    from beskar7.operations.doctor import daily
    from beskar7.operations.doctor.state import StateError, locked

    state = args.state or _state_file(os.environ)
    try:
        url = daily.webhook_url(os.environ, args.webhook_file)
        with locked(state), open_cluster(args) as cluster:
            name = f"{cluster.kube.host} namespace {cluster.namespace}"
            day = daily.look(cluster, name, state, args.recent)
            if args.log is not None:
                _append(args.log, day.line)
            if args.output == "json":
                print_json(day.diagnosis.to_json())
            else:
                sys.stdout.write(f"{day.line}\n")
            if url and not day.diagnosis.healthy:
                daily.post(cluster.runtime, url, daily.message(day.diagnosis))
    except (StateError, daily.WebhookError) as error:
        raise UsageError(f"doctor: {error}") from None
    return DONE if day.diagnosis.healthy else FOUND


def _append(log: Path, line: str) -> None:
    from beskar7.operations.doctor.daily import append

    try:
        append(log, line)
    except OSError as error:
        raise UsageError(f"doctor: --log {log}: {error.strerror}") from None


def _state_file(environment: Mapping[str, str]) -> Path:
    home = environment.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "beskar7" / "doctor.json"
