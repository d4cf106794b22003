"""A pod on the node: its containers as processes, its status in the store, its end."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path

from beskar7.api.errors import ApiError
from beskar7.api.kinds import CONFIG_MAP, SECRET
from beskar7.api.objects import Object
from emulator.kube.faults.faults import ApiFaults
from emulator.kube.store.store import Store
from emulator.kube.workloads import images
from emulator.kube.workloads.clocks import AGENT, PodClocks
from emulator.kube.workloads.container import Container
from emulator.kube.workloads.credentials import Credentials
from emulator.kube.workloads.events import Recorder
from emulator.kube.workloads.keeper import KUBELET, publish
from emulator.kube.workloads.objects import POD, key, meta, spec, status
from emulator.kube.workloads.podstatus import FIRST_BACKOFF, Backoff, ContainerState

log = logging.getLogger(__name__)

_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ")
METRICS_ANNOTATION = "lab.beskar7.io/metrics-url"


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds."""

    first_backoff: float = FIRST_BACKOFF
    config_retry: float = 5.0
    start_slot: float = 10.0


@dataclass(frozen=True, slots=True)
class Node:
    """What all pods of the kubelet share."""

    store: Store
    events: Recorder
    directory: Path
    credentials: Credentials
    starts: asyncio.Semaphore
    timing: Timing
    clocks: PodClocks | None
    faults: ApiFaults | None
    ip: str = "127.0.0.1"


class PodWorker:
    """Runs a pod from :meth:`run` until :meth:`stop` has had its effect."""

    def __init__(self, node: Node, obj: Object, ip: str) -> None:
        self.obj = obj
        self.ip = ip
        self.host_ip = node.ip
        self.runtime = node.store.runtime
        self.starts = node.starts
        self.timing = node.timing
        self.stopping = asyncio.Event()
        self.hurried = asyncio.Event()
        """Set when the grace was shortened."""
        # As in /var/log/pods; a name may be longer than a directory's.
        name = f"{meta(obj)['namespace']}_{meta(obj)['name']}"[:200]
        self.directory = node.directory / f"{name}_{meta(obj)['uid']}"
        self.kubeconfig = self.directory / "kubeconfig"
        self._clock = self.directory / "clock"
        self._node = node
        self._killed_at = float("inf")
        self._gone = False
        before = {each.get("name"): each for each in status(obj).get("containerStatuses") or ()}
        self.containers = [
            self._container(each, before.get(each.get("name")))
            for each in spec(obj).get("containers") or ()
        ]

    def _container(self, given: Object, before: Object | None) -> Container:
        state = ContainerState(given.get("name", ""), given.get("image", ""))
        if before is not None and before.get("containerID"):
            # The node was down: what ran then is gone.
            state.restarts = int(before.get("restartCount") or 0) + 1
            state.last = {
                "terminated": {
                    "exitCode": 137,
                    "reason": "ContainerStatusUnknown",
                    "message": "the lab was down",
                }
            }
        return Container(self, given, state, backoff=Backoff(self.timing.first_backoff))

    @property
    def uid(self) -> str:
        uid: str = meta(self.obj)["uid"]
        return uid

    async def run(self) -> None:
        """Until every container has ended for good; then the pod leaves the store if it must."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        if spec(self.obj).get("initContainers"):
            self.event("Warning", "NotSupported", "the lab runs no init containers")
        self.publish()
        lives = (container.run() for container in self.containers)
        for ended in await asyncio.gather(*lives, return_exceptions=True):
            if isinstance(ended, Exception):
                log.error("pod %s", meta(self.obj)["name"], exc_info=ended)
        self.publish()
        if not self.stopping.is_set():
            await self.stopping.wait()
        self.kubeconfig.unlink(missing_ok=True)
        if self._node.clocks is not None:
            self._node.clocks.forget(self._clock)
        self._delete()

    def stop(self, grace: float) -> None:
        """End the pod within ``grace`` seconds; a later call can only hurry it."""
        at = self.runtime.now() + max(grace, 0.0)
        if at < self._killed_at:
            self._killed_at = at
            self.hurried.set()
        self.stopping.set()

    def vanish(self, grace: float = 0.0) -> None:
        """End the pod without a word in the store, where it is gone, or stays for the next lab."""
        self._gone = True
        self.stop(grace)

    @property
    def killed_at(self) -> float:
        """When the pod's grace is over, as ``Runtime.now()``; infinite before it stops."""
        return self._killed_at

    @property
    def grace(self) -> float:
        """Seconds that a container gets which is to be restarted."""
        given = spec(self.obj).get("terminationGracePeriodSeconds")
        return 30.0 if given is None else float(given)

    async def pause(self, seconds: float) -> bool:
        """Wait, but no longer than until the pod stops; whether it does."""
        try:
            async with asyncio.timeout(seconds):
                await self.stopping.wait()
        except TimeoutError:
            return False
        return True

    def leaking(self) -> float:
        """Bytes per second by which the pod grows just now."""
        faults = self._node.faults
        return 0.0 if faults is None else faults.leaking(AGENT + meta(self.obj)["name"])

    def write_kubeconfig(self) -> None:
        """With a new token of the pod's service account. Raises NoAccount and OSError."""
        account = spec(self.obj).get("serviceAccountName") or "default"
        self._node.credentials(meta(self.obj)["namespace"], account, self.kubeconfig)

    def remove_files(self) -> None:
        for container in self.containers:
            container.logs.remove()
        shutil.rmtree(self.directory, ignore_errors=True)

    def container(self, name: str) -> Container | None:
        """By name; "" is the first."""
        return next((each for each in self.containers if name in ("", each.name)), None)

    def metrics_urls(self) -> list[str]:
        return [
            each.process.metrics
            for each in self.containers
            if each.process is not None and each.process.alive and each.process.metrics
        ]

    def fixed_ports(self) -> bool:
        """The usual ports are free at the pod's address; something may listen on all of them."""
        if len(self.containers) > 1:
            return False
        try:
            for port in (images.METRICS_PORT, images.PROBES_PORT):
                with socket.socket() as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind((self.ip, port))
        except OSError:
            return False
        return True

    def base_environment(self) -> dict[str, str]:
        found = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        found.setdefault("PATH", os.defpath)
        clock = {}
        if self._node.clocks is not None:
            clock = self._node.clocks.follow(meta(self.obj)["name"], self._clock)
        return (
            found
            | clock
            | {
                "PYTHONPATH": images.SOURCE,
                "HOSTNAME": meta(self.obj)["name"],
                "POD_NAME": meta(self.obj)["name"],
                "POD_NAMESPACE": meta(self.obj)["namespace"],
                "POD_IP": self.ip,
                "NODE_NAME": spec(self.obj).get("nodeName", ""),
            }
        )

    def lookup(self, kind: str, name: str) -> Object | None:
        wanted = SECRET if kind == "Secret" else CONFIG_MAP
        try:
            return self._node.store.get(wanted, meta(self.obj)["namespace"], name).obj
        except ApiError:
            return None

    def event(self, type_: str, reason: str, message: str, field: str = "") -> None:
        self._node.events.event(POD, self.obj, type_, reason, message, field)

    def publish(self) -> None:
        """Write the status as it is now, if the pod is still there."""
        if self._gone:
            return
        store = self._node.store
        namespace, name = key(self.obj)
        states = [each.state for each in self.containers]
        try:
            now = publish(store, self.obj, states, ip=self.ip, host_ip=self.host_ip)
            urls = self.metrics_urls()
            if (
                now is not None
                and urls
                and (meta(now).get("annotations") or {}).get(METRICS_ANNOTATION) != urls[0]
            ):
                patch = {"metadata": {"annotations": {METRICS_ANNOTATION: urls[0]}}}
                store.patch(POD, namespace, name, patch, call=KUBELET)
        except ApiError as error:
            log.debug("the status of pod %s/%s: %s", namespace, name, error.message)

    def _delete(self) -> None:
        if self._gone:
            return
        try:
            self._node.store.delete(
                POD,
                meta(self.obj)["namespace"],
                meta(self.obj)["name"],
                uid=self.uid,
                grace=0,
                call=KUBELET,
            )
        except ApiError as error:
            log.debug("pod %s: %s", meta(self.obj)["name"], error.message)
