"""Managers as pods, with their own service account: its roles are enough for all they do."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from beskar7.api.kinds import BESKAR7_MACHINE, HOST_CLAIM, LEASE, PHYSICAL_HOST, Kind
from scenarios.engine.live import LiveWorld
from scenarios.engine.loader import load

pytestmark = pytest.mark.e2e

PATIENCE = 60.0  # seconds


def wait(world: LiveWorld, kind: Kind, name: str, holds: Any) -> dict[str, Any]:
    """The object once ``holds``, by watching it from its beginning."""
    watch = world.kube.watch(
        kind,
        "default",
        resource_version="",
        timeout=PATIENCE,
        field_selector=f"metadata.name={name}",
    )
    last: dict[str, Any] = {}
    for event in watch:
        if event.type not in ("BOOKMARK", "DELETED"):
            last = event.object
            if holds(last.get("status") or {}):
                return last
    pytest.fail(f"{kind} {name} did not get there: {last}")


FLAG = "world.managers.args.enable-claim-coordinator-leader-election"


@pytest.mark.upstream("U28")
@pytest.mark.parametrize("handed_over", ["false", "true"])
def test_a_host_is_provisioned_and_released_with_the_managers_own_rights(
    tmp_path: Path, handed_over: str
) -> None:
    scenario = load("smoke", ["world.hosts.count=2", f"{FLAG}={handed_over}"])
    world = LiveWorld(scenario, seed=3, directory=tmp_path, deployed=True)
    try:
        world.start()
        machine = {
            "apiVersion": BESKAR7_MACHINE.api_version,
            "kind": BESKAR7_MACHINE.kind,
            "metadata": {"name": "one", "namespace": "default"},
            "spec": {"imageURL": "http://images.lab/kairos.iso", "osFamily": "kairos"},
        }
        world.kube.create(BESKAR7_MACHINE, machine)
        ready = wait(
            world, BESKAR7_MACHINE, "one", lambda status: status.get("phase") == "Provisioned"
        )
        host = ready["status"]["hostRef"]["name"]
        claims = world.kube.list(HOST_CLAIM, "default").items
        assert [claim["status"]["hostRef"]["name"] for claim in claims] == (
            [host] if handed_over == "true" else []
        )
        world.kube.delete(BESKAR7_MACHINE, "default", "one")
        wait(world, PHYSICAL_HOST, host, lambda status: status.get("state") == "Available")
        leases = world.kube.list(LEASE, "beskar7-system").items
        assert len(leases) == (2 if handed_over == "true" else 1)
        assert all(lease["spec"]["holderIdentity"] for lease in leases)
        events = world.lab.writes(0)[0]
        assert any(record.kind == "Event" and record.outcome == "ok" for record in events)
        logs = "".join(path.read_text() for path in tmp_path.rglob("*.log"))
        assert "reconciling" in logs  # the managers' own words are among them
        assert "forbidden" not in logs
        assert "cannot list" not in logs
        (pod,) = tmp_path.glob("pods/**/kubeconfig")
        config = yaml.safe_load(pod.read_text())
        token = config["users"][0]["user"]["token"].split(".")[1]
        subject = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))["sub"]
        assert subject == "system:serviceaccount:beskar7-system:beskar7-controller-manager"
    finally:
        world.stop()
