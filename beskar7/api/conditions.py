"""Conditions in Cluster API's v1beta1 form: type, status, severity, reason, message."""

from __future__ import annotations

from typing import Any, Literal

from beskar7.api.meta import rfc3339

Severity = Literal["", "Info", "Warning", "Error"]

REDFISH_CONNECTION_READY = "RedfishConnectionReady"
HOST_AVAILABLE = "HostAvailable"
HOST_PROVISIONED = "HostProvisioned"
READY = "Ready"
INFRASTRUCTURE_READY = "InfrastructureReady"
PHYSICAL_HOST_ASSOCIATED = "PhysicalHostAssociated"
CONTROL_PLANE_ENDPOINT_READY = "ControlPlaneEndpointReady"


def get_condition(status: dict[str, Any], type: str) -> dict[str, Any] | None:
    for condition in status.get("conditions") or []:
        if condition.get("type") == type:
            return dict(condition)
    return None


def summarize(status: dict[str, Any], of: str) -> None:
    """``Ready`` as Cluster API sums it up: what condition ``of`` says, once it says anything."""
    told = get_condition(status, of)
    if told is None:
        return
    ready = told | {"type": READY}
    others = [item for item in status["conditions"] if item.get("type") != READY]
    status["conditions"] = [ready, *others]


def set_condition(
    status: dict[str, Any],
    type: str,
    value: bool,
    now: float,
    *,
    reason: str = "",
    message: str = "",
    severity: Severity = "",
) -> bool:
    """Set a condition; ``lastTransitionTime`` (``now``, UTC seconds) moves only with its value.

    Returns True when anything changed.
    """
    wanted: dict[str, Any] = {"type": type, "status": "True" if value else "False"}
    if severity:
        wanted["severity"] = severity
    if reason:
        wanted["reason"] = reason
    if message:
        wanted["message"] = message[:10240]
    conditions = status.setdefault("conditions", [])
    for index, condition in enumerate(conditions):
        if condition.get("type") != type:
            continue
        old = {key: held for key, held in condition.items() if key != "lastTransitionTime"}
        if old == wanted:
            return False
        moved = condition.get("status") != wanted["status"]
        wanted["lastTransitionTime"] = rfc3339(now) if moved else condition["lastTransitionTime"]
        conditions[index] = wanted
        return True
    conditions.append(wanted | {"lastTransitionTime": rfc3339(now)})
    return True
