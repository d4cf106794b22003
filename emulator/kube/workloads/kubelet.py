"""The lab's one node: it takes the pods that there are, as long as there is room, and runs them."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import os
import platform
import shutil
import socket
from pathlib import Path

from beskar7.api.errors import ApiError
from beskar7.api.objects import Object
from emulator.kube.store.history import Change
from emulator.kube.store.metadata import rfc3339
from emulator.kube.store.pipeline import Call
from emulator.kube.store.store import Store
from emulator.kube.workloads import usage
from emulator.kube.workloads.clocks import PodClocks
from emulator.kube.workloads.credentials import Credentials
from emulator.kube.workloads.events import Recorder
from emulator.kube.workloads.objects import NODE, NODE_NAME, POD, meta, spec, status, terminating
from emulator.kube.workloads.pod import Node, PodWorker, Timing
from emulator.kube.workloads.podstatus import unscheduled

log = logging.getLogger(__name__)

MAX_PODS = 50
"""Pods on the node: each is a process of some 60 MB."""
_STARTS = 3
"""Processes that start at the same time."""
_KUBELET, _SCHEDULER = Call(client="kubelet/lab"), Call(client="kube-scheduler/lab")
_STOP = 10.0  # seconds that pods get when the whole lab goes down


class Addresses:
    """Loopback addresses for pods, from a /24 of this lab's own."""

    def __init__(self, store: Store) -> None:
        # Far from 127.0.0.0/16 (the host's own) and 127.10.0.0 and on (the fleet's).
        rng = store.runtime.rng("pod-addresses")
        net = (127 << 24) | (rng.randrange(64, 128) << 16) | (rng.randrange(256) << 8)
        self._free = [str(ipaddress.IPv4Address(net + last)) for last in range(254, 0, -1)]
        self._all = _bindable(self._free[-1])

    def take(self) -> str:
        """Its own address for a pod; the host's where the system has but one loopback address."""
        return self._free.pop() if self._all and self._free else "127.0.0.1"

    def give_back(self, address: str) -> None:
        if address != "127.0.0.1":
            self._free.insert(0, address)


def _bindable(address: str) -> bool:
    try:
        with socket.socket() as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True


class Kubelet:
    """Scheduler and kubelet in one. ``directory`` gets the pods' files."""

    def __init__(
        self,
        store: Store,
        directory: Path,
        credentials: Credentials,
        *,
        timing: Timing | None = None,
        max_pods: int = MAX_PODS,
        clocks: PodClocks | None = None,
    ) -> None:
        self.pods: dict[str, PodWorker] = {}
        """By uid."""
        self._store = store
        self._max = max_pods
        self._node = Node(
            store,
            Recorder(store, "kubelet", NODE_NAME),
            directory,
            credentials,
            asyncio.Semaphore(_STARTS),
            timing or Timing(),
            clocks,
        )
        self._scheduler = Recorder(store, "default-scheduler")
        self._addresses = Addresses(store)
        self._tasks: set[asyncio.Task[None]] = set()
        self._down = False

    def start(self) -> None:
        """Register the node, and begin with the pods that there are."""
        shutil.rmtree(self._node.directory, ignore_errors=True)  # of a lab that was here before
        self._register()
        self._store.listeners.append(self._on_change)
        for entry in list(self._store.list(POD)):
            self._see(entry.obj)

    async def stop(self) -> None:
        """End every process; the pods stay in the store, as when a node is switched off."""
        self._down = True
        for worker in self.pods.values():
            grace = float(spec(worker.obj).get("terminationGracePeriodSeconds") or _STOP)
            worker.vanish(min(grace, _STOP))
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=_STOP + 2.0)

    def find(self, namespace: str, name: str) -> PodWorker | None:
        for worker in self.pods.values():
            if (meta(worker.obj)["namespace"], meta(worker.obj)["name"]) == (namespace, name):
                return worker
        return None

    def _on_change(self, change: Change) -> None:
        if change.kind not in (POD, NODE) or self._down:
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
            self._store.delete(POD, *_key(obj), uid=uid, grace=0, call=_KUBELET)

    def _schedule(self, obj: Object) -> None:
        at = rfc3339(self._store.runtime.wall())
        cordoned = self._cordoned()
        full = len(self.pods) >= self._max
        if full or cordoned:
            why = "Too many pods" if full else "node(s) were unschedulable"
            words = f"0/1 nodes are available: 1 {why}."
            self._scheduler.event(POD, obj, "Warning", "FailedScheduling", words)
            found = self._store.get(POD, *_key(obj))
            new = {**found.copy(), "status": unscheduled(found.obj, words, at)}
            self._store.update_status(POD, new, call=_SCHEDULER)
            return
        namespace, name = _key(obj)
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
        worker = PodWorker(self._node, obj, self._addresses.take())
        self.pods[worker.uid] = worker
        task = asyncio.get_running_loop().create_task(self._live(worker), name="pod")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if terminating(obj):
            worker.stop(0.0)

    async def _live(self, worker: PodWorker) -> None:
        try:
            await worker.run()
        except Exception:
            log.exception("pod %s", meta(worker.obj)["name"])
        finally:
            self.pods.pop(worker.uid, None)
            self._addresses.give_back(worker.ip)
            if not self._down:  # otherwise the logs stay, for who wants to know what was
                worker.remove_files()
                self._fill_room()

    def _fill_room(self) -> None:
        """A pod has gone: one that waits may have its place."""
        if self._cordoned():
            return
        waiting = [
            entry.obj
            for entry in self._store.list(POD)
            if not spec(entry.obj).get("nodeName") and not terminating(entry.obj)
        ]
        for obj in waiting[: max(0, self._max - len(self.pods))]:
            self._schedule(obj)

    def _register(self) -> None:
        at = rfc3339(self._store.runtime.wall())
        labels = {
            "kubernetes.io/hostname": NODE_NAME,
            "kubernetes.io/os": platform.system().lower(),
            "kubernetes.io/arch": _architecture(),
        }
        try:
            entry = self._store.get(NODE, None, NODE_NAME)
        except ApiError:
            obj = {
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": {"name": NODE_NAME, "labels": labels},
                "spec": {},
            }
            entry = self._store.create(NODE, obj, call=_KUBELET)
        capacity = {
            "cpu": str(os.cpu_count() or 1),
            "memory": f"{usage.total_memory() // 1024}Ki",
            "pods": str(self._max),
        }
        conditions = [
            _condition("MemoryPressure", "False", "KubeletHasSufficientMemory", at),
            _condition("DiskPressure", "False", "KubeletHasNoDiskPressure", at),
            _condition("PIDPressure", "False", "KubeletHasSufficientPID", at),
            _condition("Ready", "True", "KubeletReady", at),
        ]
        node_status = {
            "addresses": [
                {"type": "InternalIP", "address": self._node.ip},
                {"type": "Hostname", "address": NODE_NAME},
            ],
            "capacity": capacity,
            "allocatable": capacity,
            "conditions": conditions,
            "nodeInfo": {
                "architecture": _architecture(),
                "bootID": "",
                "containerRuntimeVersion": "process://1",
                "kernelVersion": platform.release(),
                "kubeProxyVersion": "",
                "kubeletVersion": "v1.32.0+beskar7-lab",
                "machineID": "",
                "operatingSystem": platform.system().lower(),
                "osImage": "processes of this machine",
                "systemUUID": "",
            },
        }
        self._store.update_status(NODE, {**entry.copy(), "status": node_status}, call=_KUBELET)


def _key(obj: Object) -> tuple[str, str]:
    return meta(obj)["namespace"], meta(obj)["name"]


def _condition(type_: str, value: str, reason: str, at: str) -> Object:
    return {
        "type": type_,
        "status": value,
        "reason": reason,
        "message": f"{reason} on the machine of the lab",
        "lastHeartbeatTime": at,
        "lastTransitionTime": at,
    }


def _architecture() -> str:
    """As Go names it."""
    machine = platform.machine().lower()
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
