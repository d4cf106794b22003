"""The controllers on a store, with a stand-in for the kubelet that a test moves by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from beskar7.runtime import VirtualRuntime
from emulator.kube.store.metadata import rfc3339
from emulator.kube.store.store import Store
from emulator.kube.workloads.controllers import Controllers
from emulator.kube.workloads.objects import DEPLOYMENT, POD, REPLICA_SET, holds, terminating
from emulator.kube.world import new_store

NAMESPACE = "default"


class Cluster:
    """A Deployment ``web`` and what the controllers make of it."""

    def __init__(self, replicas: int = 3, **spec: Any) -> None:
        self.timers: list[tuple[float, Callable[[], object]]] = []
        self.runtime = VirtualRuntime(seed=3)
        self.store: Store = new_store(self.runtime)
        self.controllers = Controllers(
            self.store, lambda seconds, call: self.timers.append((seconds, call))
        )
        labels = {"app": "web"}
        container = {"name": "manager", "image": "beskar7/manager:v1"}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
        self.store.create(
            DEPLOYMENT,
            {
                "metadata": {"name": "web", "namespace": NAMESPACE},
                "spec": {
                    "replicas": replicas,
                    "selector": {"matchLabels": labels},
                    "template": template,
                    **spec,
                },
            },
        )

    @property
    def deployment(self) -> dict[str, Any]:
        return self.store.get(DEPLOYMENT, NAMESPACE, "web").obj

    @property
    def pods(self) -> list[dict[str, Any]]:
        return [entry.obj for entry in self.store.list(POD, NAMESPACE)]

    @property
    def replica_sets(self) -> list[dict[str, Any]]:
        return [entry.obj for entry in self.store.list(REPLICA_SET, NAMESPACE)]

    def patch(self, patch: dict[str, Any]) -> None:
        self.store.patch(DEPLOYMENT, NAMESPACE, "web", patch)

    def scale(self, replicas: int) -> None:
        self.patch({"spec": {"replicas": replicas}})

    def image(self, tag: str) -> None:
        container = {"name": "manager", "image": f"beskar7/manager:{tag}"}
        self.patch({"spec": {"template": {"spec": {"containers": [container]}}}})

    def ready(self, pod: dict[str, Any], value: bool = True) -> None:
        at = rfc3339(self.runtime.wall())
        condition = {
            "type": "Ready",
            "status": "True" if value else "False",
            "lastTransitionTime": at,
        }
        entry = self.store.get(POD, NAMESPACE, pod["metadata"]["name"])
        status = {"phase": "Running", "conditions": [condition]}
        self.store.update_status(POD, {**entry.copy(), "status": status})

    def all_ready(self) -> None:
        """Until nothing is left to make ready: a whole rollout."""
        for _ in range(200):
            unready = [p for p in self.pods if not terminating(p) and not holds(p, "Ready")]
            if not unready:
                return
            self.ready(unready[0])
        pytest.fail("the rollout does not come to an end")

    def condition(self, type_: str) -> dict[str, Any]:
        return next(
            each for each in self.deployment["status"]["conditions"] if each["type"] == type_
        )


@pytest.fixture
def cluster() -> Callable[..., Cluster]:
    return Cluster
