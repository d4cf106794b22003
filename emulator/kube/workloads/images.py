"""The images that the lab can run, and what they run; pure."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import beskar7
from beskar7.api.objects import Object

MANAGER_IMAGE = "beskar7/manager"
METRICS_FLAG, PROBES_FLAG = "--metrics-bind-address", "--health-probe-bind-address"
METRICS_PORT, PROBES_PORT = 8080, 8081
SOURCE = str(Path(beskar7.__file__).parents[1])
"""Where a child finds the package, should it not be installed."""

_REPOSITORY = re.compile(r"(?:(?:[^/]+[.:][^/]*|localhost)/)?(.+?)(?::[\w][\w.-]{0,127})?(?:@.+)?")
_ENTRYPOINTS = ("/manager", "manager", "/beskar7", "beskar7")


def is_manager(image: str) -> bool:
    """``beskar7/manager`` of any tag, digest or registry."""
    match = _REPOSITORY.fullmatch(image)
    return match is not None and match.group(1) == MANAGER_IMAGE


def pull_error(image: str) -> str:
    return (
        f'Failed to pull image "{image}": the lab has no registry; '
        f"it runs {MANAGER_IMAGE} (any tag) as a process of this machine"
    )


class StartRefused(Exception):
    """The container's command is none that its image has."""


@dataclass(frozen=True, slots=True)
class Launch:
    """A command line, and where its endpoints were told to listen (port 0: any)."""

    argv: tuple[str, ...]
    metrics: tuple[str, int]
    probes: tuple[str, int]


def flags(container: Object, arguments: Sequence[str]) -> list[str]:
    """What the manager in the container is told. Raises StartRefused for another's command."""
    command = [str(each) for each in container.get("command") or ()]
    if command and command[0] not in _ENTRYPOINTS:
        raise StartRefused(
            f'exec: "{command[0]}": executable file not found in $PATH; '
            f"{MANAGER_IMAGE} has /manager"
        )
    words = command[1:] + list(arguments)
    return words[1:] if words[:1] == ["manager"] else words  # as in: beskar7 manager ...


def launch(
    container: Object,
    arguments: Sequence[str],
    *,
    kubeconfig: Path,
    identity: str,
    pod_ip: str,
    fixed_ports: bool,
) -> Launch:
    """The process of a manager's container. Raises StartRefused for a command of another image.

    A pod has its address and no network of its own: a bind address without a host, or with that
    of all interfaces, becomes the pod's. ``fixed_ports``: the usual ports are free there.
    """
    words = flags(container, arguments)
    usual = {
        METRICS_FLAG: (pod_ip, METRICS_PORT if fixed_ports else 0),
        PROBES_FLAG: (pod_ip, PROBES_PORT if fixed_ports else 0),
    }
    given: list[str] = []
    at = 0
    while at < len(words):
        name, equals, value = words[at].partition("=")
        if name in usual and (equals or at + 1 < len(words)):
            if not equals:
                at += 1
                value = words[at]
            usual[name], text = _bind(value, pod_ip, fixed_ports)
            if usual[name][1] < 0:
                given.append(f"{name}={text}")
        else:
            given.append(words[at])
        at += 1
    argv = (
        sys.executable,
        "-m",
        "beskar7",
        "manager",
        f"--kubeconfig={kubeconfig}",
        f"--identity={identity}",
        *(f"{name}={host}:{port}" for name, (host, port) in usual.items() if port >= 0),
        *given,
        "--exit-with-stdin",
    )
    return Launch(argv, usual[METRICS_FLAG], usual[PROBES_FLAG])


def _bind(value: str, pod_ip: str, fixed_ports: bool) -> tuple[tuple[str, int], str]:
    """Host and port of a bind address in the pod; a text that is none goes through as it is."""
    host, colon, port = value.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        return (pod_ip, -1), value
    usual = int(port) in (METRICS_PORT, PROBES_PORT)
    number = int(port) if fixed_ports or not usual else 0
    if host in ("", "0.0.0.0", "[::]", "127.0.0.1", "localhost"):  # noqa: S104 # to be replaced
        host = pod_ip
    return (host, number), f"{host}:{number}"
