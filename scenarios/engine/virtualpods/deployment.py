"""The managers' Deployment in virtual time, as a world starts and scales it."""

from __future__ import annotations

from collections.abc import Mapping

from beskar7.kube.port import Kube
from beskar7.runtime.virtual import VirtualRuntime
from emulator.deployed import DeployedManagers, DeploymentError
from emulator.kube.faults.faults import ApiFaults
from emulator.kube.store.history import Change
from emulator.kube.store.store import Store
from emulator.kube.workloads.objects import POD
from scenarios.engine.virtualpods.kubelet import VirtualKubelet
from scenarios.engine.virtualpods.logs import PodLogs
from scenarios.engine.virtualpods.pod import Launch
from scenarios.engine.world import WorldError

READY_SECONDS = 60.0
"""For the managers to become ready; the live lab's patience."""


class VirtualDeployment:
    """``kube`` is the world's own client, ``launch`` as of :class:`virtualpods.pod.Node`."""

    def __init__(
        self,
        runtime: VirtualRuntime,
        store: Store,
        kube: Kube,
        launch: Launch,
        logs: PodLogs,
        faults: ApiFaults,
    ) -> None:
        self._logs = logs
        self._kubelet = VirtualKubelet(runtime, store, launch, logs, faults)
        self._managers = DeployedManagers(kube)
        store.listeners.append(self._on_change)

    def start(self, replicas: int, args: Mapping[str, str]) -> None:
        """Raises WorldError when they do not become ready."""
        self._kubelet.start()
        self._managers.create(replicas, args)
        self._await_ready()

    def stop(self) -> None:
        self._kubelet.stop()

    def scale_up(self) -> str:
        """The name of the pod that is new."""
        before = {pod.name for pod in self._kubelet.pods}
        self._managers.scale_up()
        self._await_ready()
        return next((p.name for p in self._kubelet.pods if p.name not in before), "")

    def memory(self, pod: str) -> int | None:
        """Bytes that a pod needs; None for one that does not run."""
        return next((p.memory() for p in self._kubelet.pods if p.name == pod), None)

    def _await_ready(self) -> None:
        try:
            self._managers.wait(READY_SECONDS)
        except DeploymentError as error:
            raise WorldError(str(error)) from None

    def _on_change(self, change: Change) -> None:
        if change.kind == POD and change.type == "DELETED":
            self._logs.forget(change.entry.name)
