"""``beskar7 monitoring``: what Prometheus and Grafana need to watch the controller."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

import yaml

from beskar7.manifests.objects import service_monitor
from beskar7.manifests.rights import NAMESPACE
from beskar7.monitoring.dashboard import dashboard
from beskar7.monitoring.rules import MAX_COMPRESSION, RUNBOOKS, prometheus_rule, rule_groups
from beskar7.monitoring.scraping import prometheus_configuration


def register(commands: Any) -> None:
    """Add ``monitoring`` to the command's subparsers."""
    parser = commands.add_parser(
        "monitoring", help="print rules, dashboard and scraping for Prometheus and Grafana"
    )
    kinds = parser.add_subparsers(required=True, metavar="WHAT")

    rules = kinds.add_parser("rules", help="a rule file for Prometheus")
    _compression(rules)
    _runbooks(rules)
    rules.set_defaults(
        run=lambda args: _yaml(rule_groups(compression=args.compress, runbooks=args.runbooks))
    )

    operator = kinds.add_parser("prometheus-rule", help="the same for the Prometheus operator")
    _namespace(operator)
    _runbooks(operator)
    operator.set_defaults(
        run=lambda args: _yaml(prometheus_rule(args.namespace, runbooks=args.runbooks))
    )

    monitor = kinds.add_parser("service-monitor", help="whom the operator's Prometheus scrapes")
    _namespace(monitor)
    monitor.set_defaults(run=lambda args: _yaml(service_monitor(args.namespace)))

    scraping = kinds.add_parser("prometheus", help="a configuration for one without an operator")
    scraping.add_argument("--rules", required=True, metavar="FILE", help="the rule file")
    managers = scraping.add_mutually_exclusive_group()
    managers.add_argument(
        "--kubeconfig",
        default="",
        metavar="FILE",
        help="find the managers through this API (default: that of the cluster around it)",
    )
    managers.add_argument(
        "--targets", default="", metavar="FILE", help="find them in this file (file_sd)"
    )
    _namespace(scraping)
    _compression(scraping)
    scraping.set_defaults(run=_prometheus)

    board = kinds.add_parser("dashboard", help="a dashboard for Grafana, as JSON")
    board.set_defaults(run=_dashboard)


def _namespace(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--namespace", default=NAMESPACE, help="of the managers")


def _runbooks(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--runbooks",
        default=RUNBOOKS,
        metavar="URL",
        help="where docs/monitoring.md is served; alarms link to it",
    )


def _compression(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--compress",
        type=_factor,
        default=1,
        metavar="N",
        help=f"divide all times by 1 to {MAX_COMPRESSION}, for rehearsals",
    )


def _factor(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= MAX_COMPRESSION:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a whole number from 1 to {MAX_COMPRESSION}"
        )
    return int(text)


def _prometheus(args: argparse.Namespace) -> int:
    return _yaml(
        prometheus_configuration(
            args.rules,
            namespace=args.namespace,
            kubeconfig=args.kubeconfig,
            targets=args.targets,
            compression=args.compress,
        )
    )


def _dashboard(args: argparse.Namespace) -> int:
    json.dump(dashboard(), sys.stdout, indent=2)
    sys.stdout.write("\n")
    return 0


class _Dumper(yaml.SafeDumper):
    """Writes an expression of several lines as lines."""


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def _yaml(value: Any) -> int:
    yaml.dump(value, sys.stdout, Dumper=_Dumper, sort_keys=False, width=100)
    return 0
