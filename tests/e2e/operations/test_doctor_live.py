"""doctor and capacity on a lab that is well, and broken three ways."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from beskar7.api.kinds import BESKAR7_MACHINE, CONFIG_MAP, DEPLOYMENT, PHYSICAL_HOST, SECRET, Kind
from beskar7.api.objects import Object
from beskar7.cli import main
from beskar7.config import CONFIG_MAP_NAME
from beskar7.manifests.objects import NAME
from beskar7.operations.doctor.diagnosis import Diagnosis, Finding
from beskar7.operations.doctor.judging import diagnose
from beskar7.operations.live import LiveCluster
from scenarios.engine.expand import CREDENTIALS_SECRET
from scenarios.engine.live import LiveWorld

pytestmark = pytest.mark.e2e

SYSTEM = "beskar7-system"
PATIENCE = 60.0
"""Seconds that a wait may take on a busy machine; it ends when the thing is seen."""


def until(cluster: LiveCluster, kind: Kind, holds: Callable[[Object], bool]) -> None:
    """Every object of ``kind`` in the default namespace is so, by watch."""
    listed = cluster.kube.list(kind, "default")
    found = {obj["metadata"]["name"]: obj for obj in listed.items}
    if all(map(holds, found.values())):
        return
    events = cluster.kube.watch(
        kind, "default", resource_version=listed.resource_version, timeout=PATIENCE
    )
    for event in events:
        if event.type in ("ADDED", "MODIFIED"):
            found[event.object["metadata"]["name"]] = event.object
            if all(map(holds, found.values())):
                return
    pytest.fail(f"not so after {PATIENCE:g}s: {[obj.get('status') for obj in found.values()]}")


def state_is(*states: str) -> Callable[[Object], bool]:
    return lambda obj: (obj.get("status") or {}).get("state") in states


def sight(cluster: LiveCluster, id: str) -> tuple[Diagnosis, Finding]:
    """Doctor's look in which it finds ``id``: what managers say of themselves has no watch."""
    end = cluster.runtime.now() + PATIENCE
    while True:
        diagnosis = diagnose(cluster)
        for each in diagnosis.findings:
            if each.id == id:
                return diagnosis, each
        if cluster.runtime.now() > end:
            pytest.fail(f"{id} was not found: {diagnosis.to_json()}")
        cluster.runtime.sleep(0.2)


def configure(cluster: LiveCluster, value: str | None) -> None:
    patch = {"data": {"provisioning.maxConcurrentOps": value}}
    cluster.kube.patch(CONFIG_MAP, SYSTEM, CONFIG_MAP_NAME, patch)


def set_password(cluster: LiveCluster, password: str) -> str:
    """The one before."""
    secret = cluster.kube.get(SECRET, "default", CREDENTIALS_SECRET)
    before = base64.b64decode(secret["data"]["password"]).decode()
    patch = {"data": {"password": base64.b64encode(password.encode()).decode()}}
    cluster.kube.patch(SECRET, "default", CREDENTIALS_SECRET, patch)
    return before


def machine(name: str) -> Object:
    return {
        "apiVersion": BESKAR7_MACHINE.api_version,
        "kind": BESKAR7_MACHINE.kind,
        "metadata": {"namespace": "default", "name": name},
        "spec": {"imageURL": "http://images.example.com/a.iso", "osFamily": "kairos"},
    }


@pytest.fixture
def hook() -> Iterator[tuple[str, list[Any]]]:
    """The URL of a webhook, and what it got."""
    got: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/secret-path", got
    server.shutdown()
    server.server_close()


@pytest.mark.timeout(400)
def test_a_lab_that_is_well_and_broken_three_ways(
    world: LiveWorld,
    cluster: LiveCluster,
    hook: tuple[str, list[Any]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options = ["--kubeconfig", str(world.lab.kubeconfig)]
    state, log = tmp_path / "state", tmp_path / "log"
    daily = ["doctor", "--daily", "--state", str(state), "--log", str(log), *options]
    url, got = hook
    monkeypatch.setenv("BESKAR7_WEBHOOK", url)

    until(cluster, PHYSICAL_HOST, state_is("Available"))
    assert main(["doctor", "--window", "1s", *options]) == 0
    told = capsys.readouterr().out
    assert "Beskar7 in beskar7-system: healthy" in told
    assert "3 hosts: 3 Available" in told
    # A readiness probe that came too early on a slow machine has left an Event.
    assert {each.id for each in diagnose(cluster).findings} <= {"warning-events"}
    assert main(daily) == 0
    assert got == []
    assert capsys.readouterr().out == log.read_text()
    assert main(["capacity", "--output", "json", *options]) == 0
    assert json.loads(capsys.readouterr().out)["pool"] == {
        "total": 3, "available": 3, "used": 0, "error": 0, "other": 0, "use": 0.0,
    }  # fmt: skip

    # One: the queue is drained, and a machine waits.
    configure(cluster, "0")
    cluster.kube.create(BESKAR7_MACHINE, machine("waits"))
    diagnosis, _ = sight(cluster, "queue-drained")
    assert not diagnosis.healthy
    assert main(["doctor", "--window", "0s", "--output", "json", *options]) == 1
    said = json.loads(capsys.readouterr().out)
    assert {"queue-drained", "configuration-doubtful"} <= {each["id"] for each in said["findings"]}
    configure(cluster, None)
    until(cluster, BESKAR7_MACHINE, lambda obj: obj["status"].get("phase") == "Provisioned")

    # Two: a wrong password of all BMCs.
    right = set_password(cluster, "wrong")
    _, found = sight(cluster, "hosts-in-error")
    assert "RedfishCredentialsRefused" in found.message
    assert main(daily) == 1
    assert [list(body) for body in got] == [["text"]]
    assert "hosts-in-error" in got[0]["text"]
    lines = log.read_text().splitlines()
    assert len(lines) == 2
    assert "findings=hosts-in-error" in lines[1]
    assert "conflicts=0/1 " in lines[1]  # the one claim since the first check
    assert url not in capsys.readouterr().out
    set_password(cluster, right)
    until(cluster, PHYSICAL_HOST, state_is("Available", "Provisioned"))

    # Three: a leader that is killed, and a flag that managers do not take.
    victim = world.kill_manager("leader")
    world.lab.await_managers()
    _, found = sight(cluster, "manager-restarted")
    assert found.about == (victim,)
    deployment = cluster.kube.get(DEPLOYMENT, SYSTEM, NAME)
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    container["args"].append("--no-such-flag=1")
    where = "/spec/template/spec/containers/0"
    patch = [{"op": "replace", "path": where, "value": container}]
    cluster.kube.patch(DEPLOYMENT, SYSTEM, NAME, patch, type="json")
    diagnosis, found = sight(cluster, "manager-crashing")
    assert "exit code 2" in found.message
    flags = next(each for each in diagnosis.findings if each.id == "flags-refused")
    assert "--no-such-flag=1" in flags.message


def test_no_cluster_is_one_line_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in ("doctor", "capacity"):
        assert main([command, "--kubeconfig", str(tmp_path / "none")]) == 2
        told = capsys.readouterr()
        assert told.out == ""
        assert told.err.startswith("beskar7: kubeconfig")
        assert told.err.count("\n") == 1
