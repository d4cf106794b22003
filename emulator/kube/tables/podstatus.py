"""The one word that ``kubectl get pods`` says of a pod, and its restarts."""

from __future__ import annotations

from typing import Any

from beskar7.api.objects import Object
from emulator.kube.tables.ages import age, parse_time

_NODE_LOST = "NodeLost"


def _statuses(obj: Object, field: str = "containerStatuses") -> list[Object]:
    found: list[Object] = (obj.get("status") or {}).get(field) or []
    return found


def pod_ready(obj: Object, now: float) -> Any:
    """Ready containers of all."""
    total = len((obj.get("spec") or {}).get("containers") or ())
    return f"{sum(bool(each.get('ready')) for each in _statuses(obj))}/{total}"


def pod_restarts(obj: Object, now: float) -> Any:
    """The restarts of all containers, with the age of the last one."""
    count = sum(each.get("restartCount") or 0 for each in _statuses(obj))
    ends = [
        at
        for each in _statuses(obj)
        if (at := ((each.get("lastState") or {}).get("terminated") or {}).get("finishedAt"))
    ]
    last = max(ends, key=lambda at: parse_time(at) or 0.0, default=None)
    return f"{count} ({age(last, now)} ago)" if count and last else str(count)


def pod_status(obj: Object, now: float) -> Any:
    """The phase, or what is the matter."""
    status = obj.get("status") or {}
    word = status.get("reason") or status.get("phase") or "Unknown"
    word = _init_status(obj) or _container_status(obj, str(word))
    if "deletionTimestamp" in obj["metadata"]:
        if status.get("reason") == _NODE_LOST:
            return "Unknown"
        if status.get("phase") not in ("Succeeded", "Failed"):
            return "Terminating"
    return word


def _ended(terminated: Object) -> str:
    if terminated.get("reason"):
        return str(terminated["reason"])
    if terminated.get("signal"):
        return f"Signal:{terminated['signal']}"
    return f"ExitCode:{terminated.get('exitCode', 0)}"


def _init_status(obj: Object) -> str:
    """What the first init container that is not through says; "" when all are."""
    statuses = _statuses(obj, "initContainerStatuses")
    total = len((obj.get("spec") or {}).get("initContainers") or ())
    for index, each in enumerate(statuses):
        state = each.get("state") or {}
        terminated = state.get("terminated")
        if terminated is not None:
            if terminated.get("exitCode", 0) == 0:
                continue
            return "Init:" + _ended(terminated)
        waiting = (state.get("waiting") or {}).get("reason")
        if waiting and waiting != "PodInitializing":
            return f"Init:{waiting}"
        return f"Init:{index}/{total}"
    return ""


def _container_status(obj: Object, word: str) -> str:
    running = False
    for each in reversed(_statuses(obj)):
        state = each.get("state") or {}
        waiting, terminated = state.get("waiting") or {}, state.get("terminated")
        if waiting.get("reason"):
            word = str(waiting["reason"])
        elif terminated is not None:
            word = _ended(terminated)
        elif each.get("ready") and "running" in state:
            running = True
    if word == "Completed" and running:
        conditions = (obj.get("status") or {}).get("conditions") or ()
        ready = any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)
        return "Running" if ready else "NotReady"
    return word
