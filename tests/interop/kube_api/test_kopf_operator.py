"""A kopf operator in a process of its own: it reacts, keeps time, and outlives the API."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import config, dynamic

from beskar7.runtime import LiveRuntime
from emulator.processes import Child

pytestmark = pytest.mark.interop

OPERATOR = Path(__file__).with_name("kopf_operator.py")
PATIENCE = 30  # seconds
FINALIZER = "example.com/operated"
CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "racks.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"plural": "racks", "singular": "rack", "kind": "Rack", "listKind": "RackList"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "properties": {"units": {"type": "integer"}},
                            },
                            "status": {
                                "type": "object",
                                "x-kubernetes-preserve-unknown-fields": True,
                            },
                        },
                    }
                },
            }
        ],
    },
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Callable[[], Child]]:
    """Starts the API; again, it has the same port and objects."""
    children = []

    def start() -> Child:
        directory, data = tmp_path / "lab", tmp_path / "data"
        arguments = ["--dir", str(directory), "--data-dir", str(data), "--exit-with-stdin"]
        child = Child(LiveRuntime(), "api", ["emulator.kube", *arguments], tmp_path / "api.log")
        children.append(child)
        child.wait_ready(PATIENCE)
        return child

    yield start
    for child in children:
        if child.alive:
            child.stop(PATIENCE)


@pytest.fixture
def client(server: Callable[[], Child], tmp_path: Path) -> Iterator[tuple[Child, Any]]:
    """The server's process, and a dynamic client to it."""
    child = server()
    untyped: Any = config
    api = untyped.new_client_from_config(child.ready["kubeconfig"])
    yield child, dynamic.DynamicClient(api, cache_file=str(tmp_path / "discovery.json"))
    api.close()


def until(racks: Any, name: str, holds: Callable[[Any], bool]) -> Any:
    """The rack as it is once it ``holds``; None, when it is to be gone."""
    listed = racks.get(namespace="default", field_selector=f"metadata.name={name}")
    current = listed.items[0] if listed.items else None
    if holds(current):
        return current
    for event in racks.watch(
        namespace="default",
        field_selector=f"metadata.name={name}",
        resource_version=listed.metadata.resourceVersion,
        timeout=PATIENCE,
    ):
        current = None if event["type"] == "DELETED" else event["object"]
        if holds(current):
            return current
    pytest.fail(f"the operator did not do it; the rack is {current}")


def said(rack: Any, field: str) -> Any:
    status = rack.status if rack is not None else None
    return status.get(field) if status is not None else None


def resize(racks: Any, name: str, units: int) -> None:
    racks.patch(
        name=name,
        namespace="default",
        body={"spec": {"units": units}},
        content_type="application/merge-patch+json",
    )


def test_an_operator_made_with_kopf(
    client: tuple[Child, Any], server: Callable[[], Child], tmp_path: Path
) -> None:
    child, dyn = client
    crds = dyn.resources.get(api_version="apiextensions.k8s.io/v1", kind="CustomResourceDefinition")
    crds.create(body=CRD)
    racks = dyn.resources.get(api_version="example.com/v1", kind="Rack")
    log = tmp_path / "operator.log"
    with log.open("wb") as out:
        operator = subprocess.Popen(
            [sys.executable, "-m", "kopf", "run", "--standalone", "-n", "default", str(OPERATOR)],
            env={**os.environ, "KUBECONFIG": child.ready["kubeconfig"]},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    try:
        body = {"apiVersion": "example.com/v1", "kind": "Rack", "spec": {"units": 42}}
        racks.create(body={**body, "metadata": {"name": "r1"}}, namespace="default")
        rack = until(racks, "r1", lambda r: said(r, "units") == 42 and bool(said(r, "beats")))
        assert list(rack.metadata.finalizers) == [FINALIZER]
        resize(racks, "r1", 48)
        assert said(until(racks, "r1", lambda r: said(r, "units") == 48), "grew") == 6

        assert child.stop(PATIENCE)
        before = said(rack, "beats")
        child = server()
        until(racks, "r1", lambda r: said(r, "beats") > before + 2)
        resize(racks, "r1", 40)
        rack = until(racks, "r1", lambda r: said(r, "units") == 40)
        assert (said(rack, "grew"), said(rack, "changes")) == (-8, 2)
        racks.create(body={**body, "metadata": {"name": "r2"}}, namespace="default")
        until(racks, "r2", lambda r: said(r, "units") == 42)

        racks.delete(name="r1", namespace="default")
        until(racks, "r1", lambda r: r is None)
        assert "the rack r1 was taken down" in log.read_text(encoding="utf-8")
        assert operator.poll() is None, log.read_text(encoding="utf-8")[-2000:]
    finally:
        operator.terminate()
        assert operator.wait(PATIENCE) == 0
