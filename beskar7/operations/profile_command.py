"""``beskar7 profile``: a load of machines, and what it cost."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

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
    whole_number,
)

if TYPE_CHECKING:
    from beskar7.operations.profile import Profile

OS_FAMILIES = ("kairos", "flatcar", "LeapMicro")
MAX_MACHINES = 1000
MAX_MINUTES = 240.0
MEBI = 1024.0 * 1024.0


def register(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "profile",
        help="put a load of machines on, and tell what it cost the managers",
        description="Create machines of its own, wait until they are provisioned, delete them "
        "again, and tell the difference of all the managers' figures. The hosts that are free "
        "boot the image that is named.",
        epilog="Exit codes: 0 all were provisioned and all is as before; 1 not; 2 bad input, no "
        "cluster, or refused; 130 interrupted (and cleaned up).",
    )
    parser.add_argument(
        "--machines",
        type=whole_number(1, MAX_MACHINES),
        default=10,
        metavar="N",
        help="default: %(default)s",
    )
    parser.add_argument(
        "--minutes",
        type=bounded_number(0.01, MAX_MINUTES),
        default=10.0,
        metavar="M",
        help="how long they may take (default: 10)",
    )
    parser.add_argument(
        *("-n", "--machine-namespace"),
        default="default",
        metavar="NS",
        help="where hosts and machines are (default: %(default)s)",
    )
    parser.add_argument("--image-url", default="http://images.example/profile.iso", metavar="URL")
    parser.add_argument("--os-family", choices=OS_FAMILIES, default=OS_FAMILIES[0])
    parser.add_argument("--keep", action="store_true", help="leave the machines there")
    parser.add_argument("--force", action="store_true", help="go on though too few hosts are free")
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="ask the API server whether it would take such a machine, and create none",
    )
    add_cluster_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """As the arguments say; the exit code."""
    from beskar7.operations.profile import Plan, Refused, profile

    plan = Plan(
        args.machines,
        args.minutes * 60.0,
        args.machine_namespace,
        args.image_url,
        args.os_family,
        args.keep,
        args.force,
        args.dry_run,
    )
    with open_cluster(args) as cluster, progress("beginning") as tell:
        try:
            found = profile(cluster, plan, tell)
        except Refused as error:
            raise UsageError(f"profile: {error}") from None
    if args.output == "json":
        print_json(found.to_json())
    else:
        show(found, Console(highlight=False, soft_wrap=True))
    if found.interrupted:
        sys.stderr.write("beskar7: interrupted\n")
        return INTERRUPTED
    return DONE if found.reached else FOUND


def show(found: Profile, console: Console) -> None:
    """Text for people."""
    told = found.to_json()
    plan = found.plan
    if plan.dry_run:
        console.print(
            f"the API server takes such machines; {plan.machines} would be created in namespace "
            f"{plan.namespace}, where {found.free_hosts} hosts are free"
        )
        return
    machines = told["machines"]
    console.print(
        f"[bold]{machines['provisioned']} of {machines['asked']} machines provisioned[/bold] in "
        f"{told['seconds']:.1f} s (run {found.run}, namespace {plan.namespace})"
    )
    for name, why in machines["failed"].items():
        console.print(f"  [red]{escape(name)} failed: {escape(why)}[/red]")
    for note in found.notes:
        console.print(f"  [yellow]{escape(note)}[/yellow]")
    console.print()
    console.print(_times(told))
    console.print()
    for line in _lines(told):
        console.print(escape(line))
    console.print()
    console.print(_usage(told))
    console.print()
    cleanup = told["cleanup"]
    if plan.keep:
        console.print(f"kept; to delete them: {cleanup['command']}")
    elif cleanup["done"]:
        console.print(
            f"[green]cleaned up in {cleanup['seconds']:.1f} s: the machines are gone, their hosts "
            "Available[/green]"
        )
    else:
        console.print("[red]not cleaned up:[/red]")
        for item in cleanup["left"]:
            console.print(f"  {escape(item)}")
        console.print(f"what is left of the machines: {cleanup['command']}")


def _times(told: Mapping[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("seconds of")
    for name in ("count", "mean", "P50", "P95", "max"):
        table.add_column(name, justify="right")
    rows = {
        "a machine to its claim": told["machines"]["to_claim"],
        "a machine to Provisioned": told["machines"]["to_provisioned"],
        "a claim": told["claims"]["duration"],
        "ranking the hosts": told["claims"]["selection"],
        "a claim at the coordinator": told["claims"]["coordinator"],
        **{f"BMC operation {kind}": each for kind, each in told["operations"].items()},
        **{f"Redfish request, {v}": each for v, each in told["requests_by_vendor"].items()},
        **{f"reconcile of {name}": each for name, each in told["reconciles"].items()},
    }
    for name, row in rows.items():
        if row["count"]:
            figures = (_seconds(row.get(key)) for key in ("mean", "p50", "p95", "max"))
            table.add_row(name, str(row["count"]), *figures)
    return table


def _lines(told: Mapping[str, Any]) -> list[str]:
    claims, queue = told["claims"], told["queue"]
    share = claims["conflict_share"]
    said = "" if share is None else f", {share:.1%} conflicts"
    most = queue["most"]
    failed = sum(row["failed"] for row in told["requests_by_vendor"].values())
    return [
        f"claims      {_counts(claims['by_outcome'])}{said}"
        + (f" ({_counts(claims['conflicts_by_reason'])})" if claims["conflicts_by_reason"] else ""),
        f"            {claims['retries']} retries, {claims['without_a_leader']} without a leader",
        f"queue       at most {most['waiting']} of {most['capacity']} waited and "
        f"{most['processing']} ran; {queue['rejections']} rejected, {queue['cooldown_waits']} "
        "waited for a cooldown",
        *(
            f"operations  {kind}: {_counts(row['by_outcome'])}"
            for kind, row in told["operations"].items()
        ),
        f"requests    {failed} Redfish requests failed",
        *(
            f"reconciles  {name}: {_counts(row['by_outcome'])}"
            for name, row in told["reconciles"].items()
        ),
        f"managers    {len(told['managers']['names'])}, {told['managers']['restarts']} restarts",
    ]


def _usage(told: Mapping[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("manager", overflow="fold")
    for name in ("cores before", "most", "MiB before", "most"):
        table.add_column(name, justify="right")
    for name, row in told["usage"].items():
        before = row["memory_before"]
        cores = row["cores_before"]
        table.add_row(
            escape(name),
            "-" if cores is None else f"{cores:.3f}",
            f"{row['cores_most']:.3f}",
            "-" if before is None else f"{before / MEBI:.1f}",
            f"{row['memory_most'] / MEBI:.1f}",
        )
    if not told["usage"]:
        table.add_row("nobody measures usage here (no metrics-server)")
    return table


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items()) or "none"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
