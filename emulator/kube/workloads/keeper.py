"""Which pods a node runs: scheduling, and what becomes of those that come and go.

How a pod runs is another's matter: the lab's kubelet has processes, virtual time has tasks.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Generic, Protocol, TypeVar

from beskar7.api.errors import ApiError
from beskar7.api.objects import Object
from emulator.kube.store.history import Change
from emulator.kube.store.metadata import rfc3339
from emulator.kube.store.pipeline import Call
from emulator.kube.store.store import Store
from emulator.kube.workloads.events import Recorder
from emulator.kube.workloads.objects import (
    NODE,
    NODE_NAME,
    POD,
    key,
    meta,
    spec,
    status,
    terminating,
)
from emulator.kube.workloads.podstatus import ContainerState, pod_status, unscheduled

log = logging.getLogger(__name__)

KUBELET = Call(client=f"kubelet/{NODE_NAME}")
_SCHEDULER = Call(client=f"kube-scheduler/{NODE_NAME}")


class Worker(Protocol):
    """Runs one pod."""

    obj: Object

    @property
    def uid(self) -> str: ...

    def stop(self, grace: float) -> None:
        """End the pod within ``grace`` seconds; a later call can only hurry it."""
        ...

    def vanish(self, grace: float = 0.0) -> None:
        """End the pod without a word in the store, where it is gone, or stays."""
        ...


W = TypeVar("W", bound=Worker)


class PodKeeper(Generic[W]):
    """Scheduler and kubelet of the one node, up to the start of a pod, which is ``run``'s."""

    def __init__(self, store: Store, max_pods: int, run: Callable[[Object], W]) -> None:
        self.pods: dict[str, W] = {}
        """By uid."""
        self.down = False
        self._store = store
        self._max = max_pods
        self._run_pod = run
        self._scheduler = Recorder(store, "default-scheduler")

    def start(self) -> None:
        """Follow the store, and begin with the pods that there are."""
        self._store.listeners.append(self._on_change)
        for entry in list(self._store.list(POD)):
            self._see(entry.obj)

    def ended(self, worker: W) -> None:
        """A pod is over: one that waits may have its place."""
        self.pods.pop(worker.uid, None)
        if not self.down:
            self._fill_room()

    def _on_change(self, change: Change) -> None:
        if change.kind not in (POD, NODE) or self.down:
            return
        try:
            if change.kind == NODE:
                self._fill_room()  # it may have been uncordoned
                return
            if change.type == "DELETED":
                worker = self.pods.get(change.entry.uid)
                if worker is not None:
                    worker.vanish()
            else:
                self._see(change.entry.obj)
        except ApiError as error:
            log.warning("pod %s: %s", change.entry.name, error.message)

    def _see(self, obj: Object) -> None:
        uid, node = meta(obj)["uid"], spec(obj).get("nodeName")
        worker = self.pods.get(uid)
        if worker is not None:
            worker.obj = obj
            if terminating(obj):
                worker.stop(float(meta(obj).get("deletionGracePeriodSeconds") or 0))
        elif not node:
            if not terminating(obj):
                self._schedule(obj)
        elif node == NODE_NAME and status(obj).get("phase") not in ("Succeeded", "Failed"):
            self._run(obj)
        elif node == NODE_NAME and terminating(obj):
            self._store.delete(POD, *key(obj), uid=uid, grace=0, call=KUBELET)

    def _schedule(self, obj: Object) -> None:
        at = rfc3339(self._store.runtime.wall())
        cordoned = self._cordoned()
        full = len(self.pods) >= self._max
        if full or cordoned:
            why = "Too many pods" if full else "node(s) were unschedulable"
            words = f"0/1 nodes are available: 1 {why}."
            self._scheduler.event(POD, obj, "Warning", "FailedScheduling", words)
            found = self._store.get(POD, *key(obj))
            new = {**found.copy(), "status": unscheduled(found.obj, words, at)}
            self._store.update_status(POD, new, call=_SCHEDULER)
            return
        namespace, name = key(obj)
        self._scheduler.event(
            POD,
            obj,
            "Normal",
            "Scheduled",
            f"Successfully assigned {namespace}/{name} to {NODE_NAME}",
        )
        patch = {"spec": {"nodeName": NODE_NAME}}
        self._store.patch(POD, namespace, name, patch, call=_SCHEDULER)

    def _cordoned(self) -> bool:
        try:
            return bool(spec(self._store.get(NODE, None, NODE_NAME).obj).get("unschedulable"))
        except ApiError:
            return False

    def _run(self, obj: Object) -> None:
        worker = self._run_pod(obj)
        self.pods[worker.uid] = worker
        if terminating(obj):
            worker.stop(0.0)

    def _fill_room(self) -> None:
        if self._cordoned():
            return
        waiting = [
            entry.obj
            for entry in self._store.list(POD)
            if not spec(entry.obj).get("nodeName") and not terminating(entry.obj)
        ]
        for obj in waiting[: max(0, self._max - len(self.pods))]:
            self._schedule(obj)


def register(
    store: Store,
    *,
    address: str,
    capacity: Mapping[str, str],
    labels: Mapping[str, str],
    info: Mapping[str, str],
    what: str,
) -> None:
    """Put the node into the store, ready; ``info`` is its nodeInfo, ``what`` it is in words."""
    at = rfc3339(store.runtime.wall())
    try:
        entry = store.get(NODE, None, NODE_NAME)
    except ApiError:
        head = {"name": NODE_NAME, "labels": {"kubernetes.io/hostname": NODE_NAME, **labels}}
        obj = {"apiVersion": "v1", "kind": "Node", "metadata": head, "spec": {}}
        entry = store.create(NODE, obj, call=KUBELET)
    conditions = [
        _condition("MemoryPressure", "False", "KubeletHasSufficientMemory", what, at),
        _condition("DiskPressure", "False", "KubeletHasNoDiskPressure", what, at),
        _condition("PIDPressure", "False", "KubeletHasSufficientPID", what, at),
        _condition("Ready", "True", "KubeletReady", what, at),
    ]
    node_status = {
        "addresses": [
            {"type": "InternalIP", "address": address},
            {"type": "Hostname", "address": NODE_NAME},
        ],
        "capacity": dict(capacity),
        "allocatable": dict(capacity),
        "conditions": conditions,
        "nodeInfo": {
            "bootID": "",
            "kubeProxyVersion": "",
            "kubeletVersion": "v1.32.0+beskar7-lab",
            "machineID": "",
            "systemUUID": "",
            **info,
        },
    }
    store.update_status(NODE, {**entry.copy(), "status": node_status}, call=KUBELET)


def _condition(type_: str, value: str, reason: str, what: str, at: str) -> Object:
    return {
        "type": type_,
        "status": value,
        "reason": reason,
        "message": f"{reason} on {what}",
        "lastHeartbeatTime": at,
        "lastTransitionTime": at,
    }


def publish(
    store: Store, pod: Object, containers: list[ContainerState], *, ip: str, host_ip: str
) -> Object | None:
    """Write a pod's status as its containers make it; the pod as it is now.

    None when it is not there any more. Raises ApiError.
    """
    entry = store.get(POD, *key(pod))
    if entry.uid != meta(pod)["uid"]:
        return None
    at = rfc3339(store.runtime.wall())
    new = pod_status(entry.obj, containers, ip=ip, host_ip=host_ip, at=at)
    if new != status(entry.obj):
        entry = store.update_status(POD, {**entry.copy(), "status": new}, call=KUBELET)
    return entry.obj
