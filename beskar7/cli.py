"""The ``beskar7`` command. Upper packages add subcommands by the entry point ``beskar7.commands``.

An entry point names a function that takes the subparsers and adds to them; each subcommand sets
``run``, a function from the parsed arguments to the exit code.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any, NoReturn

from beskar7.api.durations import parse_duration
from beskar7.config import LeaseSettings, ManagerSettings
from beskar7.logs import LEVELS, STYLES, LogSettings, configure


class UsageError(Exception):
    """A user's mistake: printed as one line, exit code 2."""


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="beskar7", description="Beskar7, its emulated world, and experiments on both."
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _add_manager(commands)
    words = sys.argv[1:] if argv is None else argv
    if words[:1] != ["manager"]:
        # A manager needs none of the upper packages, and starts sooner without them.
        for entry in sorted(entry_points(group="beskar7.commands"), key=lambda entry: entry.name):
            entry.load()(commands)
    args = parser.parse_args(words)
    try:
        return int(args.run(args) or 0)
    except UsageError as error:
        print(f"beskar7: {error}", file=sys.stderr)  # noqa: T201 # the command's own voice
        return 2
    except KeyboardInterrupt:
        return 130


def _duration(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _stuck_timeout(text: str) -> float:
    seconds = _duration(text)
    if not 60 <= seconds <= 86400:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration from 1m to 24h")
    return seconds


def _flag(text: str) -> bool:
    if text.lower() in ("true", "1"):
        return True
    if text.lower() in ("false", "0"):
        return False
    raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")


def _workers(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 50:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to 50")
    return int(text)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: 0 to 65535")
    return int(text)


def _add_manager(commands: Any) -> None:
    parser = commands.add_parser("manager", help="run the controller manager", allow_abbrev=False)
    _add_manager_flags(parser)
    parser.set_defaults(run=_run_manager)


def _add_manager_flags(parser: argparse.ArgumentParser) -> None:
    boolean: dict[str, Any] = {"type": _flag, "nargs": "?", "const": True, "metavar": "BOOL"}
    parser.add_argument("--kubeconfig", help="file to reach the API server (default: in-cluster)")
    parser.add_argument("--namespace", default=os.environ.get("POD_NAMESPACE", "beskar7-system"))
    parser.add_argument("--identity", help="name in leases (default: host name and process id)")
    parser.add_argument("--metrics-bind-address", default="127.0.0.1:8080")
    parser.add_argument("--health-probe-bind-address", default="127.0.0.1:8081")
    parser.add_argument(
        "--webhook-port",
        type=_port,
        default=0,
        help="serve the admission webhooks here by HTTPS, usually 9443 (default 0: do not)",
    )
    parser.add_argument("--webhook-host", default="127.0.0.1", help="address to serve them at")
    parser.add_argument(
        "--webhook-cert-dir",
        default="",
        metavar="DIR",
        help="where their tls.crt and tls.key are; both are read anew when they change",
    )
    parser.add_argument("--leader-elect", default=True, **boolean)
    parser.add_argument("--leader-elect-lease-duration", type=_duration, default=15.0)
    parser.add_argument("--leader-elect-renew-deadline", type=_duration, default=10.0)
    parser.add_argument("--leader-elect-retry-period", type=_duration, default=2.0)
    parser.add_argument("--leader-elect-release-on-cancel", default=True, **boolean)
    parser.add_argument(
        "--enable-claim-coordinator-leader-election",
        default=False,
        help="hand claims over to one manager, elected for that, which serves them in batches",
        **boolean,
    )
    parser.add_argument("--claim-coordinator-lease-duration", type=_duration, default=15.0)
    parser.add_argument("--claim-coordinator-renew-deadline", type=_duration, default=10.0)
    parser.add_argument("--claim-coordinator-retry-period", type=_duration, default=2.0)
    parser.add_argument("--max-concurrent-reconciles", type=_workers, default=10)
    parser.add_argument("--require-owner-machine", default=False, **boolean)
    parser.add_argument(
        "--stuck-state-timeout",
        type=_stuck_timeout,
        default=os.environ.get("STUCK_STATE_TIMEOUT", "15m"),
        help="how long a host may enrol, provision or deprovision before it is tried anew",
    )
    parser.add_argument(
        "--log-level",
        choices=LEVELS,
        default=os.environ.get("BESKAR7_LOG_LEVEL", "info"),
    )
    parser.add_argument("--log-format", choices=STYLES, default="console")
    parser.add_argument(
        "--exit-with-stdin",
        action="store_true",
        help="stop when standard input ends, so as not to outlive a supervisor",
    )


def settings_of(args: argparse.Namespace) -> ManagerSettings:
    """Settings from the parsed flags of ``beskar7 manager``."""
    claim_lease = LeaseSettings(
        args.claim_coordinator_lease_duration,
        args.claim_coordinator_renew_deadline,
        args.claim_coordinator_retry_period,
    )
    return ManagerSettings(
        identity=args.identity or f"{socket.gethostname()}_{os.getpid()}",
        namespace=args.namespace,
        kubeconfig=args.kubeconfig,
        leader_elect=args.leader_elect,
        release_on_cancel=args.leader_elect_release_on_cancel,
        lease=LeaseSettings(
            args.leader_elect_lease_duration,
            args.leader_elect_renew_deadline,
            args.leader_elect_retry_period,
        ),
        claim_lease=claim_lease if args.enable_claim_coordinator_leader_election else None,
        max_concurrent_reconciles=args.max_concurrent_reconciles,
        metrics_address=args.metrics_bind_address,
        probe_address=args.health_probe_bind_address,
        webhook_host=args.webhook_host,
        webhook_port=args.webhook_port,
        webhook_cert_dir=args.webhook_cert_dir,
        require_owner_machine=args.require_owner_machine,
        stuck_state_timeout=args.stuck_state_timeout,
    )


def manager_settings(identity: str, flags: Mapping[str, str]) -> ManagerSettings:
    """The settings that flags (without their dashes) give. Raises ValueError for bad ones."""
    parser = _RaisingParser(allow_abbrev=False)
    _add_manager_flags(parser)
    given = [f"--{name}={value}" for name, value in flags.items()]
    return settings_of(parser.parse_args([*given, f"--identity={identity}"]))


class _RaisingParser(argparse.ArgumentParser):
    """Raises where a command line would end the process."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


def _run_manager(args: argparse.Namespace) -> int:
    # Late: other subcommands need not wait for the Kubernetes client's import.
    from beskar7 import process

    configure(LogSettings(args.log_level, args.log_format))
    try:
        manager = process.LiveManager(settings_of(args))
    except process.StartError as error:
        raise UsageError(str(error)) from None
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: manager.stop())
    if args.exit_with_stdin:
        manager.stop_with(sys.stdin)
    return manager.run()
