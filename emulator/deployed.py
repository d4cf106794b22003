"""The managers as the Deployment ``beskar7-controller-manager``, run by the lab's own kubelet."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Mapping
from typing import Any

from beskar7.api.errors import ApiError
from beskar7.api.objects import Object
from beskar7.kube.port import Kube
from beskar7.manifests.objects import LABELS, NAME, deployment
from beskar7.manifests.rights import NAMESPACE
from emulator.kube.workloads.images import MANAGER_IMAGE
from emulator.kube.workloads.objects import DEPLOYMENT, POD, meta, replicas, spec, status
from emulator.kube.workloads.pod import METRICS_ANNOTATION
from emulator.kube.workloads.podstatus import identity

_SELECTOR = ",".join(f"{name}={value}" for name, value in LABELS.items())


class DeploymentError(Exception):
    """The managers did not become ready; ``args[0]`` says what their pods say."""


def manifest(count: int, args: Mapping[str, str]) -> Object:
    """The Deployment; ``args`` are the manager's flags without their dashes."""
    # Asked more often than on a cluster: here a manager is up in a second.
    return deployment(f"{MANAGER_IMAGE}:lab", count, args, readiness_period=2)


class DeployedManagers:
    """What a lab does with its managers, done to the Deployment. Errors are the API's."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube
        self._seen: dict[str, bool] = {}

    def create(self, count: int, args: Mapping[str, str]) -> None:
        self._kube.create(DEPLOYMENT, manifest(count, args))

    def wait(self, timeout: float) -> None:
        """Until every replica is ready. Raises DeploymentError after ``timeout`` seconds."""
        listed = self._kube.list(DEPLOYMENT, NAMESPACE, field_selector=f"metadata.name={NAME}")
        if all(_complete(obj) for obj in listed.items):
            return
        events = self._kube.watch(
            DEPLOYMENT,
            NAMESPACE,
            resource_version=listed.resource_version,
            timeout=timeout,
            field_selector=f"metadata.name={NAME}",
        )
        for event in events:
            if event.type in ("ADDED", "MODIFIED") and _complete(event.object):
                return
        raise DeploymentError(f"the managers were not ready within {timeout:g}s{self._trouble()}")

    def scale_up(self) -> None:
        deployment = self._kube.get(DEPLOYMENT, NAMESPACE, NAME)
        patch = {"spec": {"replicas": replicas(deployment) + 1}}
        self._kube.patch(DEPLOYMENT, NAMESPACE, NAME, patch)

    def lives(self) -> list[tuple[str, bool]]:
        """Each life of a manager that was ever seen here, and whether it goes on."""
        self._seen = dict.fromkeys(self._seen, False)
        for pod in self._pods():
            for state in status(pod).get("containerStatuses") or ():
                restarts = int(state.get("restartCount") or 0)
                for count in range(restarts):
                    self._seen[identity(pod, count)] = False
                self._seen[identity(pod, restarts)] = "running" in (state.get("state") or {})
        return list(self._seen.items())

    def kill(self, life: str, timeout: float = 10.0) -> None:
        """SIGKILL, until the kubelet has seen it, who then starts the pod's next life.

        Raises DeploymentError when no such manager runs, or after ``timeout`` seconds.
        """
        listed = self._kube.list(POD, NAMESPACE, label_selector=_SELECTOR)
        pid = next((pid for pod in listed.items if (pid := _running(pod, life))), 0)
        if not pid:
            raise DeploymentError(f"no manager {life} runs")
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        pod_name = pod_of(life)
        events = self._kube.watch(
            POD,
            NAMESPACE,
            resource_version=listed.resource_version,
            timeout=timeout,
            field_selector=f"metadata.name={pod_name}",
        )
        for event in events:
            if event.type == "BOOKMARK":
                continue
            if event.type == "DELETED" or not _running(event.object, life):
                return
        raise DeploymentError(f"the end of {life} was not seen within {timeout:g}s")

    def metrics_urls(self) -> dict[str, str]:
        """The ``/metrics`` URL of each running manager, by identity."""
        found = {}
        for pod in self._pods():
            url = (meta(pod).get("annotations") or {}).get(METRICS_ANNOTATION)
            for state in status(pod).get("containerStatuses") or ():
                if url and "running" in (state.get("state") or {}):
                    found[identity(pod, int(state.get("restartCount") or 0))] = str(url)
        return found

    def _pods(self) -> list[Object]:
        return self._kube.list(POD, NAMESPACE, label_selector=_SELECTOR).items

    def _trouble(self) -> str:
        """What the pods say of themselves."""
        said: list[str] = []
        with contextlib.suppress(ApiError):
            for pod in self._pods():
                for state in status(pod).get("containerStatuses") or ():
                    waiting: dict[str, Any] = (state.get("state") or {}).get("waiting") or {}
                    if waiting:
                        name, reason = meta(pod)["name"], waiting.get("reason", "")
                        said.append(f"{name}: {reason} {waiting.get('message', '')}")
        return "".join(f"\n  {line}" for line in said[:5])


def pod_of(life: str) -> str:
    """The name of the pod whose life this identity is."""
    return life.partition("_")[0]


def _running(pod: Object, life: str) -> int:
    """The process id of this life of the pod; 0 when it does not run."""
    for state in status(pod).get("containerStatuses") or ():
        restarts = int(state.get("restartCount") or 0)
        if identity(pod, restarts) == life and "running" in (state.get("state") or {}):
            pid = str(state.get("containerID", "")).removeprefix("process://")
            return int(pid) if pid.isdecimal() else 0
    return 0


def _complete(deployment: Object) -> bool:
    wanted, found = replicas(deployment), status(deployment)
    return (
        found.get("observedGeneration") == meta(deployment).get("generation")
        and found.get("readyReplicas", 0) == found.get("updatedReplicas", 0) == wanted
        and bool(spec(deployment))
    )
