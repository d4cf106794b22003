"""``beskar7 trace MACHINE``: one machine's whole way, and what the matter with it is."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from beskar7.api.durations import format_duration
from beskar7.api.meta import ObjectKey, rfc3339, rfc3339_micro
from beskar7.cli import UsageError
from beskar7.operations.options import (
    DONE,
    FOUND,
    add_cluster_options,
    bounded_duration,
    open_cluster,
    print_json,
)

if TYPE_CHECKING:
    from beskar7.operations.trace import Trace
    from beskar7.operations.trace_entries import Entry

LONGEST = 7 * 86400.0
"""Seconds that ``--since`` may reach back: the log that is kept is shorter anyway."""


def register(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "trace",
        help="tell one machine's whole way to its host, and where it waits or is stuck",
        description="Tell in one story, by time, what its object, its Events, those of its hosts, "
        "its claim and the log lines of all managers say of one Beskar7Machine.",
        epilog="Exit codes: 0 it is provisioned, or was and is gone; 1 not yet, stuck or failed; "
        "2 bad input, no cluster, or nothing is known of such a machine.",
    )
    parser.add_argument("machine", metavar="MACHINE")
    parser.add_argument(
        *("-n", "--machine-namespace"),
        default="default",
        metavar="NS",
        help="the machine's namespace (default: %(default)s)",
    )
    parser.add_argument(
        "--since",
        type=bounded_duration(1.0, LONGEST),
        default=3600.0,
        metavar="TIME",
        help="how far back logs are read (default: 1h)",
    )
    parser.add_argument("--all", action="store_true", help="also tell repetitions one by one")
    add_cluster_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Tell as the arguments say; the exit code."""
    from beskar7.operations.trace import trace
    from beskar7.operations.trace_verdict import UNKNOWN

    key = ObjectKey(args.machine_namespace, args.machine)
    with open_cluster(args) as cluster:
        found = trace(cluster, key, args.since)
    if found.verdict.state == UNKNOWN:
        raise UsageError(
            f"trace: there is no Beskar7Machine {key}, and neither Events nor logs of the last "
            f"{format_duration(args.since)} speak of it; -n names another namespace, --since a "
            "longer time"
        )
    if args.output == "json":
        print_json(found.to_json())
    else:
        show(found, Console(highlight=False, soft_wrap=True), every=args.all)
    return DONE if found.verdict.fine else FOUND


def show(found: Trace, console: Console, *, every: bool = False) -> None:
    """``every``: repetitions one by one."""
    from beskar7.operations.trace_story import folded

    console.print(f"[bold]Beskar7Machine {escape(str(found.key))}[/bold]  {found.uid}")
    for name, value in _head(found):
        if value:
            console.print(f"  {name:<11}{escape(value)}")
    console.print()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("time (UTC)", "after", "what happened", "told by"):
        table.add_column(name, justify="right" if name == "after" else "left", overflow="fold")
    for entry in found.entries if every else folded(found.entries):
        style = "yellow" if entry.warning else ""
        table.add_row(*_row(entry, found), style=style)
    console.print(table)
    if found.way:
        console.print()
        console.print(_times(found))
    since = f", since {rfc3339(found.verdict.since)}" if found.verdict.since else ""
    colour = "green" if found.verdict.fine else "red"
    if found.verdict.state == "waiting":
        colour = "yellow"
    console.print(f"\n[{colour}]{escape(found.verdict.text)}{since}[/{colour}]")


def _head(found: Trace) -> list[tuple[str, str]]:
    machine = found.machine
    return [
        ("object", "gone" if machine is None else f"phase {machine.phase or 'none yet'}"),
        ("owner", ", ".join(found.owners) or ("none" if machine is not None else "")),
        ("image", machine.image if machine is not None else ""),
        ("hosts", ", ".join(found.hosts) or "none"),
        ("claim", found.claim),
        *(("condition", text) for text in found.conditions),
        ("managers", ", ".join(found.managers) or "no logs"),
    ]


def _row(entry: Entry, found: Trace) -> tuple[str, str, str, str]:
    whole = rfc3339_micro(entry.at)[11:23] if entry.exact else rfc3339(entry.at)[11:19]
    text = escape(entry.text)
    if entry.count > 1:
        took = f", {entry.seconds:.3f}s in all" if entry.kind == "operation" else ""
        until = rfc3339(entry.until)[11:19]
        text += f" [dim]({entry.count} times until {until}{took})[/dim]"
    return whole, f"{entry.at - found.start:+.1f}s", text, escape(_source(entry, found.managers))


def _source(entry: Entry, managers: tuple[str, ...]) -> str:
    """Pods of one Deployment differ in their last word only."""
    manager = entry.source.removeprefix("log ")
    if manager == entry.source or len({name.rpartition("-")[0] for name in managers}) > 1:
        return entry.source
    return f"log {manager.rpartition('-')[2]}"


def _times(found: Trace) -> Table:
    from beskar7.operations.trace_time import PHASES, totals

    total = found.end - found.start
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("where the time went")
    table.add_column("seconds", justify="right")
    table.add_column("share", justify="right")
    table.add_column("", style="dim", overflow="fold")
    for phase, seconds in totals(found.way).items():
        share = f"{seconds / total:.0%}" if total else ""
        table.add_row(phase, f"{seconds:.3f}", share, PHASES[phase])
    table.add_row("total", f"{total:.3f}", "100%" if total else "", style="bold")
    return table
