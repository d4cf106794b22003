"""Rules of the Beskar7Cluster: its control plane's endpoint."""

from __future__ import annotations

import ipaddress
import re

from beskar7.api.admission.context import (
    Context,
    Findings,
    Operation,
    changed,
    dig,
    mapping,
    replaced,
    text,
)
from beskar7.api.causes import invalid_value, required
from beskar7.api.objects import Object

DEFAULT_PORT = 6443
"""kube-apiserver's own."""
_ENDPOINT = ("spec", "controlPlaneEndpoint")
_LABEL = re.compile(r"[a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?")
_MAX_HOSTNAME = 253


def default(cluster: Object) -> Object:
    """The port, once there is a host; an endpoint of Go's zero values is none."""
    endpoint = dig(cluster, *_ENDPOINT)
    if not isinstance(endpoint, dict):
        return cluster
    if endpoint == {"host": "", "port": 0}:
        return replaced(cluster, ("spec",), {"controlPlaneEndpoint": None})
    if text(endpoint, "host") and endpoint.get("port") in (None, 0):
        return replaced(cluster, _ENDPOINT, {"port": DEFAULT_PORT})
    return cluster


def validate(
    operation: Operation, new: Object | None, old: Object | None, context: Context, found: Findings
) -> None:
    if new is None or not changed(new, old, *_ENDPOINT):
        return
    endpoint = mapping(new, *_ENDPOINT)
    if not endpoint:
        return
    host, port = text(endpoint, "host"), endpoint.get("port")
    if not host:
        found.causes.append(
            required("spec.controlPlaneEndpoint.host", "an IP address or a host name")
        )
    elif not _is_host(host):
        hint = (
            f"must be an IP address, or a host name of at most {_MAX_HOSTNAME} characters, each "
            "label at most 63 letters, digits and dashes"
        )
        found.causes.append(
            invalid_value("spec.controlPlaneEndpoint.host", f'"{host[:120]}"', hint)
        )
    if not isinstance(port, int) or isinstance(port, bool) or not 1 <= port <= 65535:
        found.causes.append(
            invalid_value(
                "spec.controlPlaneEndpoint.port", str(port)[:120], "must be from 1 to 65535"
            )
        )


def _is_host(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        labels = host.split(".")
        return len(host) <= _MAX_HOSTNAME and all(_LABEL.fullmatch(label) for label in labels)
    return True
