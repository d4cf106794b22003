"""``beskar7 fleet top``: a live view of a fleet's requests, faults, machines and limits."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from beskar7.runtime import LiveRuntime, Runtime
from emulator.bmc.client import FleetControl, FleetControlError
from emulator.bmc.metrics import Operation
from emulator.bmc.spec import load_token
from emulator.fields import FieldError

BAD_INPUT, FAILED = 2, 1
INTERVAL = 1.0
"""Seconds that rates and quantiles are taken over."""


def add(commands: Any) -> None:
    """Add ``top`` to the subcommands of ``fleet``."""
    parser = commands.add_parser(
        "top",
        help="watch a running fleet",
        description="Watch a running fleet: requests, faults, machines, limits. Ctrl-C leaves.",
        allow_abbrev=False,
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--lab", type=Path, metavar="DIR", help="the directory of a lab that is up")
    where.add_argument("--control", metavar="URL", help="a fleet's control endpoint")
    parser.add_argument(
        "--token-file", type=Path, metavar="FILE", help="of the endpoint at --control, mode 0600"
    )
    parser.add_argument("--interval", type=_seconds, default=INTERVAL, metavar="SECONDS")
    parser.add_argument("--once", action="store_true", help="one look, after one interval")
    parser.add_argument(
        "--output", choices=("text", "json"), default="text", help="json: one look, as JSON"
    )
    parser.set_defaults(run=run)


def _seconds(value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0.0
    if not 0.1 <= seconds <= 60.0:
        raise argparse.ArgumentTypeError(f"must be 0.1 to 60 seconds, not {value!r}")
    return seconds


def run(args: argparse.Namespace) -> int:
    """The exit code: 1 where the fleet cannot be reached any more, 2 for a user's mistake."""
    runtime = LiveRuntime(0)
    try:
        control = _control(args)
        first = look(control, runtime)
    except (FieldError, FleetControlError, OSError) as bad:
        sys.stderr.write(f"beskar7 fleet top: {bad}\n")
        return BAD_INPUT
    try:
        if args.once or args.output == "json":
            runtime.sleep(args.interval)
            view = compare(first, look(control, runtime))
            if args.output == "json":
                sys.stdout.write(json.dumps(view) + "\n")
            else:
                Console(highlight=False).print(render(view))
            return 0
        _watch(control, runtime, first, args.interval)
    except FleetControlError as gone:
        sys.stderr.write(f"beskar7 fleet top: {gone}\n")
        return FAILED
    except KeyboardInterrupt:
        pass
    finally:
        control.close()
    return 0


def _control(args: argparse.Namespace) -> FleetControl:
    if args.lab is not None:
        try:
            return FleetControl.of(args.lab)
        except FileNotFoundError as missing:
            raise FieldError(
                f"--lab {args.lab}: no lab is up there ({missing.filename} is missing)"
            ) from None
    if args.token_file is None:
        raise FieldError("--control needs --token-file, the file with the endpoint's token")
    return FleetControl(args.control, load_token(args.token_file))


def _watch(control: FleetControl, runtime: Runtime, before: Look, interval: float) -> None:
    with Live(Text("..."), console=Console(highlight=False), screen=True) as live:
        while True:
            runtime.sleep(interval)
            now = look(control, runtime)
            live.update(render(compare(before, now)), refresh=True)
            before = now


@dataclass(frozen=True, slots=True)
class Look:
    """What the endpoint said at ``time``."""

    time: float
    metrics: Mapping[str, Any]
    faults: list[dict[str, Any]]


def look(control: FleetControl, runtime: Runtime) -> Look:
    """Raises FleetControlError."""
    return Look(runtime.now(), control.metrics(), control.faults())


def compare(before: Look, now: Look) -> dict[str, Any]:
    """What is shown: rates and quantiles between two looks, the rest as it is now."""
    seconds = max(now.time - before.time, 1e-6)
    operations = []
    for name, entry in sorted(now.metrics["operations"].items()):
        earlier = Operation(**before.metrics["operations"].get(name, _NONE))
        recent = Operation(**entry).since(earlier)
        operations.append(
            {
                "operation": name,
                "per_second": recent.count / seconds,
                "p50_seconds": recent.quantile(0.5),
                "p95_seconds": recent.quantile(0.95),
                "errors": recent.errors,
            }
        )
    shown = ("hosts", "requests", "in_flight", "connections", "saturated", "power", "boot")
    return {
        "seconds": seconds,
        "operations": operations,
        **{name: now.metrics[name] for name in (*shown, "slowest", "shards")},
        "faults": [
            {name: fault[name] for name in ("id", "kind", "active", "hits")}
            | {"hosts": len(fault["hosts"])}
            for fault in now.faults
        ],
    }


_NONE: dict[str, Any] = {}


def render(view: Mapping[str, Any]) -> RenderableType:
    """The view for people."""
    machines = [f"{count} {state}" for state, count in sorted(view["power"].items())]
    boots = [f"{count} {state}" for state, count in sorted(view["boot"].items())]
    head = (
        f"{view['hosts']} BMCs ({', '.join(machines)}; boot: {', '.join(boots)}), "
        f"{view['in_flight']} requests in flight, {view['connections']} connections"
    )
    said = view["saturated"]
    limit = (
        Text(f"SATURATED: {said}; times say nothing about the controller", style="bold red")
        if said
        else Text("not saturated", style="green")
    )
    parts: list[RenderableType] = [Text(head), limit, _operations(view), _shards(view)]
    if view["faults"]:
        parts.append(_faults(view))
    if view["slowest"]:
        parts.append(_slowest(view))
    return Group(*parts)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index else "left", no_wrap=True)
    return table


def _ms(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.1f} ms"


def _operations(view: Mapping[str, Any]) -> Table:
    table = _table("OPERATION", "PER SECOND", "P50", "P95", "ERRORS")
    for entry in view["operations"]:
        table.add_row(
            entry["operation"],
            f"{entry['per_second']:.1f}",
            _ms(entry["p50_seconds"]),
            _ms(entry["p95_seconds"]),
            str(entry["errors"]),
        )
    return table


def _shards(view: Mapping[str, Any]) -> Table:
    table = _table("SHARD", "PROCESS", "BMCS", "BUSY", "LATE")
    for shard in view["shards"]:
        busy, late = f"{shard['busy']:.0%}", _ms(shard["lag"])
        table.add_row(str(shard["shard"]), str(shard["pid"]), str(shard["hosts"]), busy, late)
    return table


def _faults(view: Mapping[str, Any]) -> Table:
    table = _table("FAULT", "KIND", "IN FORCE", "BMCS", "HITS")
    for fault in view["faults"]:
        force = "yes" if fault["active"] else "no"
        table.add_row(fault["id"], fault["kind"], force, str(fault["hosts"]), str(fault["hits"]))
    return table


def _slowest(view: Mapping[str, Any]) -> Table:
    table = _table("SLOWEST", "MEAN", "REQUESTS")
    for entry in view["slowest"]:
        table.add_row(entry["host"], _ms(entry["mean_seconds"]), str(entry["requests"]))
    return table
