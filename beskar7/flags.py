"""The flags of ``beskar7 manager``, by the documented names (facts section 7).

What a flag says holds, whatever the ConfigMap says; where none was given, the ConfigMap does.
"""

from __future__ import annotations

import argparse
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from beskar7.api.durations import parse_duration
from beskar7.config import ConfigError, LeaseSettings
from beskar7.logs import LEVELS, STYLES, TIMES
from beskar7.settings import ManagerSettings

BOOLEAN = {"true": True, "1": True, "false": False, "0": False}


def _boolean(text: str) -> bool:
    if text.lower() not in BOOLEAN:
        raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")
    return BOOLEAN[text.lower()]


def _duration(low: float = 0.0, high: float = 86_400.0) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            seconds = parse_duration(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
        if not low <= seconds <= high:
            raise argparse.ArgumentTypeError(
                f"{text!r} is not a duration from {low:g}s to {high:g}s"
            )
        return seconds

    return parse


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit()) or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {low} to {high}")
        return int(text)

    return parse


def _level(text: str) -> str:
    """By name, or zap's number: above 0 is debug."""
    if text.isdigit():
        return "debug" if int(text) > 0 else "info"
    if text not in LEVELS:
        raise argparse.ArgumentTypeError(f"{text!r} is not one of {', '.join(LEVELS)}")
    return text


def add_flags(parser: argparse.ArgumentParser, environment: Mapping[str, str] = os.environ) -> None:
    """All flags. Those with a default of None give way to the ConfigMap."""
    flag: dict[str, Any] = {"type": _boolean, "nargs": "?", "const": True, "metavar": "BOOL"}
    time: dict[str, Any] = {"type": _duration(), "metavar": "DURATION"}

    group = parser.add_argument_group("identity and API")
    add = group.add_argument
    add("--kubeconfig", help="file to reach the API server (default: in-cluster)")
    add(
        "--namespace",
        default=environment.get("POD_NAMESPACE", "beskar7-system"),
        help="where the ConfigMap is",
    )
    add("--identity", help="name in leases (default: the pod's, or host name and process id)")
    add(
        "--kube-api-qps",
        type=_whole(0, 100),
        default=0,
        help="requests a second to the API server, 5 to 100 (default 0: as many as there are)",
    )
    add("--kube-api-burst", type=_whole(10, 200), default=30, help="how many of them at once")

    group = parser.add_argument_group("endpoints")
    add = group.add_argument
    add("--metrics-bind-address", default="127.0.0.1:8080", help="for metrics and /debug/")
    add("--health-probe-bind-address", default="127.0.0.1:8081", help="for the kubelet's probes")
    add("--enable-pprof", default=True, help="profiles, for this machine alone", **flag)
    add("--pprof-bind-address", default="", help="serve profiles here, too")
    add(
        "--webhook-port",
        type=_whole(0, 65_535),
        default=0,
        help="serve the admission webhooks here by HTTPS, usually 9443 (default 0: do not)",
    )
    add("--webhook-host", default="127.0.0.1", help="address to serve them at")
    add(
        "--webhook-cert-dir",
        default="",
        metavar="DIR",
        help="where their tls.crt and tls.key are; both are read anew when they change",
    )

    group = parser.add_argument_group("leader election")
    add = group.add_argument
    add("--leader-elect", default=True, help="without, this has to be the only manager", **flag)
    add("--leader-elect-lease-duration", help="a lease so old may be taken over", **time)
    add("--leader-elect-renew-deadline", help="a leader stops that could not renew", **time)
    add("--leader-elect-retry-period", help="between attempts to get or renew it", **time)
    add("--leader-elect-release-on-cancel", default=True, help="let go of it at the end", **flag)
    add("--leader-elect-resource-namespace", help="of the leases (default: --namespace)")
    add(
        "--enable-claim-coordinator-leader-election",
        default=False,
        help="hand claims over to one manager, elected for that, which serves them in batches",
        **flag,
    )
    add("--claim-coordinator-lease-duration", default=15.0, help="of its lease", **time)
    add("--claim-coordinator-renew-deadline", default=10.0, help="of its lease", **time)
    add("--claim-coordinator-retry-period", default=2.0, help="of its lease", **time)

    group = parser.add_argument_group("reconciling")
    add = group.add_argument
    add(
        "--max-concurrent-reconciles",
        type=_whole(1, 50),
        metavar="N",
        help="reconciles at once, for each kind",
    )
    add(
        "--reconcile-timeout",
        type=_duration(1.0, 1800.0),
        default=environment.get("RECONCILE_TIMEOUT"),
        metavar="DURATION",
        help="a reconcile that took longer writes nothing more",
    )
    add(
        "--stuck-state-timeout",
        type=_duration(60.0),
        default=environment.get("STUCK_STATE_TIMEOUT", "15m"),
        metavar="DURATION",
        help="that a host may stay in a transitional state",
    )
    add(
        "--max-retries",
        type=_whole(0, 20),
        default=environment.get("MAX_RETRIES", "3"),
        metavar="N",
        help="conflicts of one object in a row before its delay grows",
    )
    add("--require-owner-machine", default=False, help="provision no machine without", **flag)
    add(
        "--enable-security-monitoring",
        default=True,
        help="look hourly for weak credentials and unverified TLS, and warn",
        **flag,
    )

    group = parser.add_argument_group("logs and traces")
    add = group.add_argument
    add(
        *("--log-level", "--zap-log-level"),
        type=_level,
        default=environment.get("BESKAR7_LOG_LEVEL"),
        metavar="LEVEL",
        help=", ".join(LEVELS),
    )
    add("--log-format", "--zap-encoder", choices=STYLES)
    add("--zap-time-encoding", choices=tuple(TIMES))
    add("--zap-stacktrace-level", choices=LEVELS)
    add("--zap-devel", default=False, help="short for --log-level=debug", **flag)
    add(
        "--otlp-endpoint",
        default=environment.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", ""),
        metavar="URL",
        help="send the spans of claims there, by OTLP over HTTP (needs the extra otel)",
    )
    parser.add_argument(
        "--exit-with-stdin",
        action="store_true",
        help="stop when standard input ends, so as not to outlive a supervisor",
    )


TUNED = {
    "leader_elect_lease_duration": "lease_duration",
    "leader_elect_renew_deadline": "renew_deadline",
    "leader_elect_retry_period": "retry_period",
    "max_concurrent_reconciles": "max_concurrent_reconciles",
    "reconcile_timeout": "reconcile_timeout",
    "log_level": "log.level",
    "log_format": "log.style",
    "zap_time_encoding": "log.times",
    "zap_stacktrace_level": "log.stacktraces",
}
"""The flags that a key of the ConfigMap has, too: argument -> field of the tuning."""


def settings_of(args: argparse.Namespace) -> ManagerSettings:
    """Settings from the parsed flags. Raises ValueError when they contradict each other."""
    if args.zap_devel and args.log_level is None:
        args.log_level = "debug"
    claim_lease = LeaseSettings(
        args.claim_coordinator_lease_duration,
        args.claim_coordinator_renew_deadline,
        args.claim_coordinator_retry_period,
    )
    settings = ManagerSettings(
        identity=args.identity or os.environ.get("POD_NAME") or _process_name(),
        namespace=args.namespace,
        lease_namespace=args.leader_elect_resource_namespace or args.namespace,
        kubeconfig=args.kubeconfig,
        kube_api_qps=args.kube_api_qps,
        kube_api_burst=args.kube_api_burst,
        leader_elect=args.leader_elect,
        release_on_cancel=args.leader_elect_release_on_cancel,
        claim_lease=claim_lease if args.enable_claim_coordinator_leader_election else None,
        metrics_address=args.metrics_bind_address,
        probe_address=args.health_probe_bind_address,
        enable_pprof=args.enable_pprof,
        pprof_address=args.pprof_bind_address,
        webhook_host=args.webhook_host,
        webhook_port=args.webhook_port,
        webhook_cert_dir=args.webhook_cert_dir,
        require_owner_machine=args.require_owner_machine,
        security_monitoring=args.enable_security_monitoring,
        otlp_endpoint=args.otlp_endpoint,
        stuck_state_timeout=args.stuck_state_timeout,
        max_retries=args.max_retries,
        fixed={
            name: value
            for argument, name in TUNED.items()
            if (value := getattr(args, argument)) is not None
        },
    )
    try:
        settings.tuned({})
    except ConfigError as error:
        raise ValueError(str(error)) from None
    return settings


def manager_settings(identity: str, flags: Mapping[str, str]) -> ManagerSettings:
    """The settings that flags (without their dashes) give. Raises ValueError for bad ones."""
    given = [f"--{name}={value}" for name, value in flags.items()]
    return parsed_settings([*given, f"--identity={identity}"], os.environ)


def parsed_settings(words: Sequence[str], environment: Mapping[str, str]) -> ManagerSettings:
    """The settings of a command line. Raises ValueError with what the command would say."""
    parser = _RaisingParser(allow_abbrev=False, add_help=False)
    add_flags(parser, environment)
    return settings_of(parser.parse_args(list(words)))


def _process_name() -> str:
    return f"{socket.gethostname()}_{os.getpid()}"


class _RaisingParser(argparse.ArgumentParser):
    """Raises where a command line would end the process."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(message)
