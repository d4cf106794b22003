"""The subcommands of operators; here are those that need no cluster."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.markup import escape

from beskar7.api.problems import DocumentError
from beskar7.effective import effective
from beskar7.operations import (
    capacity_command,
    leaks_command,
    profile_command,
    recover_command,
    trace_command,
)
from beskar7.operations.check_config import Verdict, check
from beskar7.operations.doctor import command as doctor_command
from beskar7.operations.options import whole_number

DEFAULT_IMAGE = "beskar7/manager:latest"


def register(commands: Any) -> None:
    """Add the subcommands."""
    parser = commands.add_parser(
        "check-config", help="check a ConfigMap beskar7-config before it is applied"
    )
    parser.add_argument("file", type=Path, help="YAML or JSON with the ConfigMap")
    parser.add_argument("--output", choices=("text", "json"), default="text")
    parser.set_defaults(run=_check_config)
    parser = commands.add_parser(
        "manifests", help="print what it takes to run the controller in a cluster, as YAML"
    )
    parser.add_argument("--image", default=DEFAULT_IMAGE)
    parser.add_argument("--namespace", default="beskar7-system")
    parser.add_argument("--replicas", type=whole_number(0, 100), default=2, metavar="N")
    parser.add_argument("--config", type=Path, help="file with the ConfigMap to put in, checked")
    parser.add_argument(
        "--arg",
        action="append",
        default=[],
        type=_argument,
        metavar="NAME=VALUE",
        help="a flag of the manager, without its dashes; may be repeated",
    )
    parser.add_argument(
        "--webhooks",
        choices=("cert-manager", "none"),
        default="cert-manager",
        help="who makes the webhooks' certificate; none: no admission",
    )
    parser.add_argument(
        "--service-monitor",
        action="store_true",
        help="add the ServiceMonitor (needs the Prometheus operator's kinds)",
    )
    parser.set_defaults(run=_manifests)
    capacity_command.register(commands)
    doctor_command.register(commands)
    trace_command.register(commands)
    recover_command.register(commands)
    profile_command.register(commands)
    leaks_command.register(commands)


def _argument(text: str) -> tuple[str, str]:
    name, equals, value = text.lstrip("-").partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def _check_config(args: argparse.Namespace) -> int:
    """0: the controller would take it; 1: it would not; 2: it cannot be read."""
    try:
        verdict = check(args.file)
    except DocumentError as error:
        print(error, file=sys.stderr)  # noqa: T201 # the command's own voice
        return 2
    if args.output == "json":
        print(json.dumps(_as_json(verdict), indent=2))  # noqa: T201 # the command's own voice
    else:
        _show(verdict, args.file)
    return 1 if verdict.problems else 0


def _as_json(verdict: Verdict) -> dict[str, Any]:
    def told(problems: list[Any]) -> list[dict[str, Any]]:
        return [
            {"line": problem.where.line, "key": problem.path, "message": problem.message}
            for problem in problems
        ]

    return {
        "valid": not verdict.problems,
        "problems": told(verdict.problems),
        "advice": told(verdict.advice),
        "effective": effective(verdict.tuning),
    }


def _show(verdict: Verdict, path: Path) -> None:
    console = Console(soft_wrap=True, highlight=False)
    for problem in verdict.problems:
        console.print(f"[red]error[/red]   {escape(str(problem))}")
    for problem in verdict.advice:
        console.print(f"[yellow]advice[/yellow]  {escape(str(problem))}")
    if verdict.problems:
        count = len(verdict.problems)
        console.print(f"{escape(str(path))}: {count} {'error' if count == 1 else 'errors'}")
    else:
        count = len(verdict.data)
        settings = "setting" if count == 1 else "settings"
        console.print(f"{escape(str(path))}: valid, {count} {settings}")


def _manifests(args: argparse.Namespace) -> int:
    from beskar7.manifests import objects

    config: dict[str, str] = {}
    if args.config is not None:
        try:
            verdict = check(args.config)
        except DocumentError as error:
            print(error, file=sys.stderr)  # noqa: T201 # the command's own voice
            return 2
        if verdict.problems:
            _show(verdict, args.config)
            return 1
        config = verdict.data
    documents = objects.installation(
        args.image,
        namespace=args.namespace,
        replicas=args.replicas,
        args=dict(args.arg),
        config=config,
        webhooks=args.webhooks != "none",
        monitored=args.service_monitor,
    )
    print(yaml.safe_dump_all(documents, sort_keys=False), end="")  # noqa: T201 # its output
    return 0
