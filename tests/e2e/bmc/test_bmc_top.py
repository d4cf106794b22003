"""``beskar7 fleet top`` against a real fleet, and the metrics that it is made of."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from emulator.bmc.client import ADDRESS, TOKEN

if TYPE_CHECKING:
    from conftest import FleetProcess

pytestmark = pytest.mark.e2e
SECRET = "token-of-the-control-endpoint"


def top(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "beskar7", "fleet", "top", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def lab(fleet: FleetProcess, tmp_path: Path) -> Path:
    """A directory as that of a lab that is up."""
    (tmp_path / ADDRESS).write_text(fleet.ready["control"])
    (tmp_path / TOKEN).write_text(SECRET)
    (tmp_path / TOKEN).chmod(0o600)
    return tmp_path


def test_one_look_as_json(fleet: FleetProcess, lab: Path) -> None:
    fleet.control.add_fault({"id": "slow", "kind": "latency", "latency": {"mean": 0.05}})
    command = [sys.executable, "-m", "beskar7", "fleet", "top", "--lab", str(lab)]
    command += ["--output", "json", "--interval", "3"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        sent = 0
        while process.poll() is None:
            fleet.get()
            sent += 1
        assert process.stdout
        view: dict[str, Any] = json.loads(process.stdout.read())
    assert process.returncode == 0
    get = next(entry for entry in view["operations"] if entry["operation"] == "get")
    assert 0 < get["per_second"] * view["seconds"] <= sent
    assert 0.05 <= get["p50_seconds"] <= get["p95_seconds"]
    assert view["hosts"] == sum(view["power"].values()) == 4
    (fault,) = view["faults"]
    assert (fault["id"], fault["active"], fault["hosts"]) == ("slow", True, 4)
    assert 0 < fault["hits"] <= sent
    assert view["slowest"][0]["host"] == "host-001"
    assert view["slowest"][0]["mean_seconds"] >= 0.05
    assert [shard["pid"] for shard in view["shards"]] == fleet.ready["pids"]


def test_one_look_as_text(fleet: FleetProcess, lab: Path) -> None:
    fleet.control.add_fault({"id": "later", "kind": "hang", "start": 3600})
    fleet.get()
    shown = top("--lab", str(lab), "--once", "--interval", "0.1")
    assert shown.returncode == 0, shown.stderr
    lines = [line.split() for line in shown.stdout.splitlines()]
    assert shown.stdout.startswith("4 BMCs (")
    assert ["later", "hang", "no", "4", "0"] in lines
    assert any(line[:1] == ["get"] for line in lines)
    assert any(line[:1] == ["host-001"] for line in lines)
    assert SECRET not in shown.stdout + shown.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--lab", "{dir}/none"], "none: no lab is up there"),
        (["--control", "{url}"], "needs --token-file"),
        (["--control", "{url}", "--token-file", "{dir}/wrong"], "token missing or wrong"),
        (["--control", "http://127.0.0.1:9", "--token-file", "{dir}/wrong"], "127.0.0.1:9"),
        (["--lab", "{dir}", "--interval", "0"], "must be 0.1 to 60 seconds, not '0'"),
        ([], "--lab --control is required"),
    ],
)
def test_what_is_wrong_is_said(
    fleet: FleetProcess, lab: Path, arguments: list[str], message: str
) -> None:
    wrong = lab / "wrong"
    wrong.touch(0o600)
    wrong.write_text("another token than the right")
    given = [a.format(dir=lab, url=fleet.ready["control"]) for a in arguments]
    shown = top(*given, "--once")
    assert shown.returncode == 2
    assert message in shown.stderr
    assert "Traceback" not in shown.stderr


def test_metrics_for_prometheus(fleet: FleetProcess) -> None:
    fault = fleet.control.add_fault({"kind": "error", "status": 503, "match": {"path": "/x*"}})
    fleet.get("/x")
    fleet.get()
    url = f"{fleet.ready['control']}/metrics"
    assert requests.get(url, timeout=5).status_code == 401
    answer = requests.get(url, headers={"Authorization": f"Bearer {SECRET}"}, timeout=5)
    assert answer.headers["Content-Type"].startswith("text/plain")
    samples = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    known = fleet.control.metrics()
    gets = known["operations"]["get"]
    assert gets["statuses"]["503"] >= 1
    for status, count in gets["statuses"].items():
        key = ("bmc_fleet_requests_total", ("operation", "get"), ("status", status))
        assert samples[key] == count
    assert samples["bmc_fleet_request_seconds_count", ("operation", "get")] == sum(gets["buckets"])
    assert samples["bmc_fleet_fault_hits_total", ("fault", fault), ("kind", "error")] == 1
    assert samples["bmc_fleet_fault_active", ("fault", fault), ("kind", "error")] == 1
    assert samples["bmc_fleet_bmcs", ("power", "Off")] == known["power"]["Off"]
    assert ("bmc_fleet_saturated", ("shard", "0")) in samples
