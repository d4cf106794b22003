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

from beskar7.api.objects import Object
from emulator.kube.faults.faults import ApiFaults
from emulator.kube.store.store import Store
from emulator.kube.workloads import usage
from emulator.kube.workloads.clocks import PodClocks
from emulator.kube.workloads.credentials import Credentials
from emulator.kube.workloads.events import Recorder
from emulator.kube.workloads.keeper import PodKeeper, register
from emulator.kube.workloads.objects import NODE_NAME, key, meta, spec
from emulator.kube.workloads.pod import Node, PodWorker, Timing

log = logging.getLogger(__name__)

MAX_PODS = 50
"""Pods on the node: each is a process of some 60 MB."""
_STARTS = 3
"""Processes that start at the same time."""
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
        faults: ApiFaults | None = None,
    ) -> None:
        self._store = store
        self._max = max_pods
        self._node = Node(
            store,
            Recorder(store, "kubelet", NODE_NAME),
            directory,
            credentials,
            asyncio.Semaphore(_STARTS),
            timing or Timing(),
            PodClocks(faults) if faults is not None else None,
            faults,
        )
        if faults is not None:
            faults.acted_out.add("memory-leak")
        self._keeper: PodKeeper[PodWorker] = PodKeeper(store, max_pods, self._run)
        self._addresses = Addresses(store)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def pods(self) -> dict[str, PodWorker]:
        """By uid."""
        return self._keeper.pods

    def start(self) -> None:
        """Register the node, and begin with the pods that there are."""
        shutil.rmtree(self._node.directory, ignore_errors=True)  # of a lab that was here before
        self._register()
        self._keeper.start()

    async def stop(self) -> None:
        """End every process; the pods stay in the store, as when a node is switched off."""
        self._keeper.down = True
        for worker in self.pods.values():
            grace = float(spec(worker.obj).get("terminationGracePeriodSeconds") or _STOP)
            worker.vanish(min(grace, _STOP))
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=_STOP + 2.0)

    def find(self, namespace: str, name: str) -> PodWorker | None:
        for worker in self.pods.values():
            if key(worker.obj) == (namespace, name):
                return worker
        return None

    def _run(self, obj: Object) -> PodWorker:
        worker = PodWorker(self._node, obj, self._addresses.take())
        task = asyncio.get_running_loop().create_task(self._live(worker), name="pod")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return worker

    async def _live(self, worker: PodWorker) -> None:
        try:
            await worker.run()
        except Exception:
            log.exception("pod %s", meta(worker.obj)["name"])
        finally:
            self._addresses.give_back(worker.ip)
            if not self._keeper.down:  # otherwise the logs stay, for who wants to know what was
                worker.remove_files()
            self._keeper.ended(worker)

    def _register(self) -> None:
        system = platform.system().lower()
        register(
            self._store,
            address=self._node.ip,
            capacity={
                "cpu": str(os.cpu_count() or 1),
                "memory": f"{usage.total_memory() // 1024}Ki",
                "pods": str(self._max),
            },
            labels={"kubernetes.io/os": system, "kubernetes.io/arch": _architecture()},
            info={
                "architecture": _architecture(),
                "containerRuntimeVersion": "process://1",
                "kernelVersion": platform.release(),
                "operatingSystem": system,
                "osImage": "processes of this machine",
            },
            what="the machine of the lab",
        )


def _architecture() -> str:
    """As Go names it."""
    machine = platform.machine().lower()
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
