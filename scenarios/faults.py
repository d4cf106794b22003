"""``beskar7 faults``: what goes wrong in a running lab, set and cleared while it runs."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from beskar7.api.documents import Node, parse, read_file
from beskar7.api.problems import DocumentError, Problem, Problems, Where
from beskar7.redfish.sushy_bmc import agent
from emulator import network
from emulator.bmc.client import FleetControl
from emulator.faultcontrol import ControlError, FaultControl
from emulator.kube.faults.control import ApiControl
from scenarios.engine.fault_fields import read_fault

FAILED, BAD_INPUT = 1, 2
MAX_FAULTS = 100
"""In one file."""
COMMON = ("id", "target", "kind", "start", "duration", "every", "times", "probability", "count")
TOLD = (*COMMON, "select", "match", "origin", "hosts", "hits", "active")
"""What the table shows in columns of its own, or not at all."""


def register(subparsers: Any) -> None:
    """Add ``faults`` to the command's subparsers."""
    parser = subparsers.add_parser(
        "faults",
        help="set, list and clear the faults of a running lab",
        description="Set, list and clear the faults of a running lab (beskar7 up).",
        epilog="Exit codes: 0 done, 1 the lab does not answer, 2 bad input. "
        "docs/faults.md has the kinds.",
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--lab",
        type=Path,
        metavar="DIR",
        help="the lab's directory (default: that of the kubeconfig in KUBECONFIG)",
    )
    common.add_argument("--output", choices=("text", "json"), default="text")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    add = verbs.add_parser("add", parents=[common], help="put faults in force, all or none")
    add.add_argument(
        "file", nargs="?", type=Path, metavar="FILE", help="YAML: a fault, a list, or {faults: []}"
    )
    add.add_argument("--kind", metavar="KIND", help="one fault of this kind, instead of a file")
    add.add_argument("--id", metavar="ID", help="its name (default: the next that is free)")
    add.add_argument("--target", metavar="bmc|api|network", help="whom it hits (default: BMCs)")
    for option, example in (("--select", "rack=r1"), ("--set", "duration=30s")):
        add.add_argument(
            option,
            action="append",
            default=[],
            dest=option.removeprefix("--"),
            metavar="NAME=VALUE",
            help=f"as in {example}; may be repeated",
        )
    add.set_defaults(run=_command(_add))
    verbs.add_parser("list", parents=[common], help="what is set").set_defaults(run=_command(_list))
    clear = verbs.add_parser("clear", parents=[common], help="end one fault, or all")
    clear.add_argument("id", nargs="?", metavar="ID")
    clear.add_argument("--all", action="store_true")
    clear.set_defaults(run=_command(_clear))


class Mistake(Exception):
    """What the user has to mend; ``args[0]`` says how."""


class Controls:
    """The endpoints of a lab: the fleet's and the API's."""

    def __init__(self, directory: Path) -> None:
        """Raises :class:`Mistake` where there is no lab."""
        try:
            self.of: dict[str, FaultControl] = {
                "bmc": FleetControl.of(directory),
                "api": ApiControl.of(directory),
            }
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or error
            name = getattr(error, "filename", None) or directory
            raise Mistake(
                f"--lab {directory}: no running lab: {name}: {reason}; "
                "give the directory that beskar7 up names"
            ) from None

    def faults(self) -> list[dict[str, Any]]:
        return [
            {"target": target, **fault}
            for target, control in self.of.items()
            for fault in control.faults()
        ]


def _command(verb: Any) -> Any:
    def run(args: argparse.Namespace) -> int:
        voice = Console(stderr=True, highlight=False)
        try:
            return int(verb(args, Controls(_directory(args.lab))))
        except (Mistake, DocumentError) as error:
            voice.print(Text(str(error)), soft_wrap=True)
            return BAD_INPUT
        except ControlError as error:
            voice.print(Text(f"beskar7 faults: {error}"), soft_wrap=True)
            return BAD_INPUT if 400 <= error.status < 500 else FAILED

    return run


def _directory(given: Path | None) -> Path:
    if given is not None:
        return given
    kubeconfig = os.environ.get("KUBECONFIG", "")
    if not kubeconfig:
        raise Mistake("beskar7 faults: which lab? Give --lab DIR, or set KUBECONFIG to the lab's")
    return Path(kubeconfig).parent


def _add(args: argparse.Namespace, controls: Controls) -> int:
    faults = read(args)
    added: dict[str, list[str]] = {}
    try:
        for target, control in controls.of.items():
            if mine := [fault for fault in faults if fault.get("target", "bmc") == target]:
                added[target] = control.add_faults(mine)
    except ControlError:
        for target, ids in added.items():
            for fault_id in ids:
                with contextlib.suppress(ControlError):
                    controls.of[target].clear_fault(fault_id)
        raise
    ids = [fault_id for some in added.values() for fault_id in some]
    _say(args, {"added": ids}, "added: " + ", ".join(ids))
    return 0


def read(args: argparse.Namespace) -> list[dict[str, Any]]:
    """The faults that the arguments name. Raises :class:`DocumentError`, :class:`Mistake`."""
    if (args.file is None) == (args.kind is None):
        raise Mistake("beskar7 faults add: give either a FILE or --kind KIND")
    if args.file is None:
        nodes = [("fault", _composed(args))]
    elif args.select or args.set or args.id or args.target:
        raise Mistake("beskar7 faults add: with a FILE everything stands in the file")
    else:
        nodes = _listed(read_file(args.file))
    problems = Problems()
    faults = [read_fault(node, path, problems, named=False) for path, node in nodes]
    problems.raise_if_any()
    return [_placed(fault) for fault in faults]


def _placed(fault: dict[str, Any]) -> dict[str, Any]:
    """A fault of the network as one of the two endpoints takes it."""
    if fault.get("target") != network.TARGET:
        return fault
    read = network.NetworkFault.from_dict(fault, default_id="unnamed")
    if isinstance(read.source, str):
        raise Mistake(
            f"beskar7 faults add: from: {read.source}: who has a role changes in a lab that goes "
            "on; name managers as in from: [POD] (kubectl -n beskar7-system get pods)"
        )
    placed = read.at_its_end([agent(glob) for glob in read.source])
    if "id" not in fault:
        del placed["id"]
    return placed


def _listed(root: Node) -> list[tuple[str, Node]]:
    inner = root.mapping.get("faults") if isinstance(root.value, dict) else root
    if inner is None or isinstance(inner.value, dict):
        return [("fault", root)]
    if not isinstance(inner.value, list) or not 0 < len(inner.items) <= MAX_FAULTS:
        message = f"has to be a list of 1 to {MAX_FAULTS} faults, not {inner.shape()}"
        raise DocumentError([Problem(inner.where, "faults", message)])
    return [(f"faults[{index}]", node) for index, node in enumerate(inner.items)]


def _composed(args: argparse.Namespace) -> Node:
    """A fault from options; what is wrong with it is told by the option that said so."""
    fields = {}
    for name in ("kind", "id", "target"):
        value = getattr(args, name)
        if value is not None:
            fields[name] = Node(Where(f"--{name} {value}"), value)
    select: dict[str, Node] = {}
    for text in args.select:
        name, value = _split("--select", text)
        where = Where(f"--select {text}")
        if name == "label":
            label, worth = _split("--select label", value)
            labels = select.setdefault("labels", Node(where, {}))
            labels.mapping[label] = Node(where, worth)
        elif name == "fraction":
            select[name] = parse(value, "", fixed=where)
        else:
            plural = name if name in ("hosts", "firmware") or name.endswith("s") else f"{name}s"
            select.setdefault(plural, Node(where, [])).items.append(Node(where, value))
    if select:
        fields["select"] = Node(Where("--select"), select)
    for text in args.set:
        name, value = _split("--set", text)
        where = Where(f"--set {text}")
        *path, last = name.split(".")
        inner = fields
        for part in path:
            node = inner.setdefault(part, Node(where, {}))
            if not isinstance(node.value, dict):
                raise DocumentError([Problem(where, name, f"{part} is no mapping")])
            inner = node.mapping
        inner[last] = parse(value, "", fixed=where)
    return Node(Where("the options"), fields)


def _split(option: str, text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not (name and sign and value):
        raise Mistake(f"{option} {text}: write {option} NAME=VALUE")
    return name, value


def _list(args: argparse.Namespace, controls: Controls) -> int:
    faults = controls.faults()
    table = Table("id", "target", "kind", "active", "hits", "hits whom", "with", box=None)
    for fault in faults:
        hosts = fault.get("hosts")
        whom = json.dumps(fault["select"]) if hosts is None else f"{len(hosts)} hosts"
        table.add_row(
            *(str(fault["id"]), fault["target"], fault["kind"]),
            *("yes" if fault["active"] else "no", str(fault["hits"]), whom, _fields(fault)),
        )
    _say(args, {"faults": faults}, table if faults else "no faults")
    return 0


def _fields(fault: Mapping[str, Any]) -> str:
    """The fields of the kind, and the schedule where it is not the default."""
    shown = {name: fault.get(name) for name in ("duration", "every", "times", "count")}
    if fault.get("probability") != 1.0:
        shown["probability"] = fault.get("probability")
    shown |= {name: value for name, value in fault.items() if name not in TOLD}
    return " ".join(
        f"{name}={value if not isinstance(value, dict | list) else json.dumps(value)}"
        for name, value in shown.items()
        if value not in (None, [], False)
    )


def _clear(args: argparse.Namespace, controls: Controls) -> int:
    if (args.id is None) != args.all:
        raise Mistake("beskar7 faults clear: give either an ID or --all")
    if args.all:
        cleared = sum(control.clear_faults() for control in controls.of.values())
    else:
        known = [fault for fault in controls.faults() if fault["id"] == args.id]
        if not known:
            raise Mistake(f"beskar7 faults clear: no fault {args.id!r} is set; see list")
        for fault in known:
            controls.of[fault["target"]].clear_fault(args.id)
        cleared = len(known)
    _say(args, {"cleared": cleared}, f"cleared: {cleared}")
    return 0


def _say(args: argparse.Namespace, data: object, text: str | Table) -> None:
    if args.output == "json":
        sys.stdout.write(json.dumps(data) + "\n")
    else:
        Console(highlight=False).print(text)
