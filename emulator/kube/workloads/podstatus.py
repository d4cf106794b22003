"""A pod's status from what is known of its containers; and when to restart one. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from beskar7.api.objects import Object
from emulator.kube.workloads.objects import key, meta, spec, status, with_condition

FIRST_BACKOFF, MAX_BACKOFF = 10.0, 300.0
"""Seconds; the kubelet's own."""
MESSAGE_LINES, MESSAGE_CHARACTERS = 80, 2048
"""Of a log that are taken for a message, at most; the kubelet's own (there bytes)."""
FORGIVEN = 600.0
"""Seconds that a container runs before its earlier crashes no longer count."""


@dataclass(slots=True)
class ContainerState:
    """What the kubelet knows of a container. ``state`` and ``last`` are of the API's form."""

    name: str
    image: str
    state: Object = field(default_factory=lambda: {"waiting": {"reason": "ContainerCreating"}})
    last: Object = field(default_factory=dict)
    ready: bool = False
    started: bool = False
    restarts: int = 0
    id: str = ""

    def to_json(self) -> Object:
        found: Object = {
            "name": self.name,
            "image": self.image,
            "imageID": f"beskar7-lab://{self.image}" if self.id else "",
            "ready": self.ready,
            "started": self.started,
            "restartCount": self.restarts,
            "state": self.state,
            "lastState": self.last,
        }
        if self.id:
            found["containerID"] = self.id
        return found


@dataclass(slots=True)
class Backoff:
    """Waits between restarts: none, 10 s, 20 s, ... 300 s, forgotten after a long good run."""

    first: float = FIRST_BACKOFF
    limit: float = MAX_BACKOFF
    crashes: int = 0

    def wait(self, ran: float) -> float:
        """Seconds to wait after another end; ``ran`` is how long the container lived."""
        if ran >= FORGIVEN:
            self.crashes = 0
        self.crashes += 1
        if self.crashes == 1:
            return 0.0
        return float(min(self.first * 2 ** min(self.crashes - 2, 16), self.limit))


def crash_loop(pod: Object, container: str, seconds: float) -> Object:
    """The state of a container that waits for its next life."""
    namespace, name = key(pod)
    words = (
        f"back-off {seconds:g}s restarting failed container={container} "
        f"pod={name}_{namespace}({meta(pod)['uid']})"
    )
    return {"waiting": {"reason": "CrashLoopBackOff", "message": words}}


def restarts(pod: Object, code: int) -> bool:
    """Whether a container that ended with this code is started again."""
    policy = spec(pod).get("restartPolicy") or "Always"
    return policy == "Always" or (policy == "OnFailure" and code != 0)


def terminated(
    code: int,
    started: str,
    finished: str,
    id: str,
    refused: str = "",
    message: str = "",
    reason: str = "",
) -> Object:
    """The API's form of an end; ``refused`` says why there was no start, ``message`` is its own.

    ``reason`` stands in place of the one that follows from the code.
    """
    reason = reason or ("StartError" if refused else "Completed" if code == 0 else "Error")
    found: Object = {
        "exitCode": code,
        "reason": reason,
        "startedAt": started,
        "finishedAt": finished,
    }
    if refused or message:
        found["message"] = refused or message
    if code > 128 and not refused:
        found["signal"] = code - 128
    if id:
        found["containerID"] = id
    return found


def last_words(container: Object, code: int, lines: Sequence[str]) -> str:
    """The message of a container that ended with this code, whose log are ``lines``."""
    if code == 0 or container.get("terminationMessagePolicy") != "FallbackToLogsOnError":
        return ""
    return "\n".join(lines[-MESSAGE_LINES:])[-MESSAGE_CHARACTERS:]


def _phase(pod: Object, containers: Sequence[ContainerState]) -> str:
    ended = [each for each in containers if "terminated" in each.state]
    if len(ended) == len(containers):
        codes = [each.state["terminated"]["exitCode"] for each in ended]
        if not any(restarts(pod, code) for code in codes):
            return "Failed" if any(codes) else "Succeeded"
    begun = all("running" in each.state or each.last or each in ended for each in containers)
    return "Running" if begun else "Pending"


def _quality(pod: Object) -> str:
    """The pod's QoS class."""
    guaranteed, any_given = True, False
    for container in spec(pod).get("containers") or ():
        resources = container.get("resources") or {}
        limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
        any_given = any_given or bool(limits or requests)
        guaranteed = guaranteed and all(
            name in limits and requests.get(name, limits[name]) == limits[name]
            for name in ("cpu", "memory")
        )
    return "Guaranteed" if guaranteed else "Burstable" if any_given else "BestEffort"


def pod_status(
    pod: Object, containers: Sequence[ContainerState], *, ip: str, host_ip: str, at: str
) -> Object:
    """The whole status; ``at`` is the time now as RFC 3339."""
    phase = _phase(pod, containers)
    unready = [each.name for each in containers if not each.ready]
    conditions: list[Object] = [dict(each) for each in status(pod).get("conditions") or ()]
    ready: Object = {"status": "True"}
    if phase in ("Succeeded", "Failed"):
        ready = {"status": "False", "reason": f"Pod{'Completed' if phase[0] == 'S' else phase}"}
    elif unready:
        words = f"containers with unready status: [{' '.join(unready)}]"
        ready = {"status": "False", "reason": "ContainersNotReady", "message": words}
    for type_, value in (
        ("PodReadyToStartContainers", {"status": "True"}),
        ("Initialized", {"status": "True"}),
        ("Ready", ready),
        ("ContainersReady", ready),
        ("PodScheduled", {"status": "True"}),
    ):
        new = {"type": type_, "lastProbeTime": None, **value}
        conditions = with_condition(conditions, new, at)
    return {
        "phase": phase,
        "conditions": conditions,
        "hostIP": host_ip,
        "hostIPs": [{"ip": host_ip}],
        "podIP": ip,
        "podIPs": [{"ip": ip}],
        "startTime": status(pod).get("startTime") or at,
        "containerStatuses": [each.to_json() for each in containers],
        "qosClass": _quality(pod),
    }


def unscheduled(pod: Object, why: str, at: str) -> Object:
    """The status of a pod for which there is no room."""
    waiting = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": why,
        "lastProbeTime": None,
    }
    conditions = with_condition(status(pod).get("conditions") or (), waiting, at)
    return {**status(pod), "phase": "Pending", "conditions": conditions}


def identity(pod: Object, restarts: int) -> str:
    """The name of one life of a container: no two lives of a process share one."""
    name: str = meta(pod)["name"]
    return f"{name}_{restarts}" if restarts else name
