"""``beskar7 capacity``: what the pool and the controller have, and what they should have."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from beskar7.operations.options import (
    DONE,
    FOUND,
    add_cluster_options,
    console,
    open_cluster,
    print_json,
    whole_number,
)

if TYPE_CHECKING:
    from beskar7.operations.capacity import Capacity
    from beskar7.operations.capacity_groups import Group

MOST = 1_000_000


def register(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "capacity",
        help="report what the pool and the controller have, and what they should have",
        description="Count hosts by state, vendor and zone, and machines that wait; say "
        "whether any host could ever do for them, and what the sizing rules ask for.",
        epilog="Exit codes: 0 there is enough; 1 something is recommended; 2 bad input, or no "
        "cluster.",
    )
    parser.add_argument(
        "--machines",
        type=whole_number(0, MOST),
        metavar="N",
        help="at once, to plan for (default: those of now)",
    )
    parser.add_argument(
        "--per-hour",
        type=whole_number(0, MOST),
        metavar="N",
        help="provisionings of the busiest hour (default: by when the machines were created)",
    )
    add_cluster_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Report; the exit code."""
    from beskar7.operations.capacity import capacity

    with open_cluster(args) as cluster:
        found = capacity(cluster, machines=args.machines, per_hour=args.per_hour)
    if args.output == "json":
        print_json(found.to_json())
    else:
        show(found, console())
    return FOUND if found.recommendations else DONE


def show(found: Capacity, screen: Console) -> None:
    """The report as tables."""
    from beskar7.operations.capacity import told

    screen.print(f"[bold]{found.pool.total} hosts[/bold], {_use(found.pool)} of the usable in use")
    screen.print("  " + (", ".join(f"{n} {state}" for state, n in found.states.items()) or "none"))
    for by, groups in found.groups.items():
        if len(groups) > 1 or (groups and by == "zone"):
            screen.print()
            screen.print(_groups(by, groups))
    screen.print()
    if found.demands:
        table = _table("waiting", "namespace", "for", "hosts that fit", "of them free")
        for each in found.demands:
            fitting = f"0: {each.hopeless}" if each.hopeless else str(each.fitting)
            table.add_row(
                str(each.machines),
                escape(each.namespace),
                escape(each.requirements),
                escape(fitting),
                str(each.free),
            )
        screen.print(table)
    else:
        screen.print("No machine waits for a host.")
    screen.print(f"Queue: {found.queue_length:.0f} of {found.queue_capacity:.0f} places taken.\n")
    screen.print(
        f"Planned for {found.peak} machines at once, {found.per_hour:g} in the busiest hour:"
    )
    table = _table("", "is", "should be", "rule")
    for size in found.sizes:
        style = "" if size.enough else "yellow"
        table.add_row(
            size.name,
            told(size.configured, size.unit),
            told(size.needed, size.unit),
            size.rule,
            style=style,
        )
    screen.print(table)
    screen.print()
    for text in found.advice:
        screen.print(f"[cyan]advice[/cyan]       {escape(text)}")
    for text in found.recommendations:
        screen.print(f"[yellow]recommended[/yellow]  {escape(text)}")
    if not found.recommendations:
        screen.print("[green]there is enough[/green]")


def _groups(by: str, groups: Any) -> Table:
    table = _table(by, "hosts", "available", "used", "in Error", "other", "in use")
    for name, group in groups.items():
        counts = (group.total, group.available, group.used, group.error, group.other)
        table.add_row(escape(name), *map(str, counts), _use(group))
    return table


def _use(group: Group) -> str:
    return "-" if group.use is None else f"{group.use:.0%}"


def _table(*names: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        table.add_column(name, overflow="fold")
    return table
