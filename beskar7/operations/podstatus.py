"""The managers' pods: their container by its name, whether it runs, how it ended last."""

from __future__ import annotations

from collections.abc import Sequence

from beskar7.api.conditions import get_condition
from beskar7.api.objects import Object
from beskar7.manifests.objects import LABELS, METRICS_PORT

CONTAINER = "manager"
"""By its name: others (a proxy, say) may stand before it in the pod."""
SELECTOR = ",".join(f"{name}={value}" for name, value in LABELS.items())
"""Of the managers' pods."""


def container(pod: Object) -> Object:
    """The manager's container in a pod's spec, or in its template's; empty if there is none."""
    return named((pod.get("spec") or {}).get("containers"))


def container_status(pod: Object) -> Object:
    """The manager's container in a pod's status; empty before it was looked at."""
    return named((pod.get("status") or {}).get("containerStatuses"))


def named(containers: Sequence[Object] | None) -> Object:
    """The manager's container among these; empty if it is none of them."""
    found = (each for each in containers or () if each.get("name") == CONTAINER)
    return next(found, {})


def running(pod: Object) -> bool:
    return "running" in (container_status(pod).get("state") or {})


def ready(pod: Object) -> bool:
    condition = get_condition(pod.get("status") or {}, "Ready") or {}
    return condition.get("status") == "True"


def life(pod: Object) -> str:
    """Of the container that runs now: the pod and how often it was started again."""
    return f"{pod_name(pod)}/{container_status(pod).get('restartCount') or 0}"


def last_end(pod: Object) -> Object:
    """How the container's former life ended (``reason``, ``exitCode``...); empty if it had none."""
    state = container_status(pod)
    ended = (state.get("state") or {}).get("terminated")
    found: Object = ended or (state.get("lastState") or {}).get("terminated") or {}
    return found


def metrics_port(pod: Object) -> int:
    """The port of that name, else the usual one."""
    for port in container(pod).get("ports") or ():
        if port.get("name") == "metrics":
            return int(port["containerPort"])
    return METRICS_PORT


def pod_name(pod: Object) -> str:
    name: str = pod["metadata"]["name"]
    return name
