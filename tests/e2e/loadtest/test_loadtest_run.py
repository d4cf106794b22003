"""The load test from end to end: a lab, Locust as a child, the world's verdict and the client's."""

from __future__ import annotations

import importlib.util
import json
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        importlib.util.find_spec("locust") is None, reason="the extra `load` is not installed"
    ),
]


def load(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "beskar7", "load", *arguments],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


def test_a_batch_holds_by_what_the_world_saw_and_by_what_its_clients_saw(tmp_path: Path) -> None:
    bounds = tmp_path / "bounds.yaml"
    bounds.write_text("time-to-provisioned.count: {min: 4}\noutcomes.watch lost: {max: 0}\n")
    report = tmp_path / "out"
    size = ["--machines", "4", "--managers", "1", "--hold", "0.1", "--operators", "1"]
    done = load("batch", *size, "--thresholds", str(bounds), "--report", str(report))
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((report / "result.json").read_text())
    assert found["passed"] is True
    assert found["metrics"]["provisioned"] == found["metrics"]["released"] == 4
    assert found["invariants"]["single-owner"]["verdict"] == "held"
    client = found["client"]
    for measure in ("time-to-claim", "time-to-provisioned", "time-to-release"):
        row = client["measures"][measure]
        assert (row["count"], row["failed"]) == (4, 0), measure
        assert 0 < row["p50"] <= row["max"], measure
    # A client sees later what the world has done, and never sooner.
    seen = client["measures"]["time-to-provisioned"]["max"]
    assert seen > found["metrics"]["ready_seconds.max"]
    assert client["claim_attempts"]["success"] == 4
    assert [row["outcome"] for row in client["thresholds"]] == ["passed", "passed"]
    for name in ("report.html", "locust.html", "locust_stats.csv", "timeline.html"):
        assert (report / name).stat().st_size > 0, name
    # Which of the two an operator looks at, he chooses anew each time.
    assert "api,list " in (report / "locust_stats.csv").read_text()
    assert "load-batch: HELD" in done.stdout


def test_a_crossed_threshold_is_exit_1_also_over_several_processes(tmp_path: Path) -> None:
    bounds = tmp_path / "bounds.yaml"
    bounds.write_text("time-to-provisioned.count: {min: 99}\n")
    size = ["--rate", "2", "--duration", "3", "--hosts", "6", "--managers", "1", "--hold", "0.1"]
    several = ["--processes", "2", "--thresholds", str(bounds), "--output", "json"]
    done = load("sustained", *size, *several)
    assert done.returncode == 1, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["shortfalls"] == ["the load generator saw: thresholds crossed: 1"]
    # Two processes kept six appointments between them, none of them twice.
    assert found["metrics"]["machines_created"] == 6
    assert found["client"]["measures"]["time-to-provisioned"]["count"] == 6


def test_a_cluster_that_cannot_be_reached_is_said_in_words(tmp_path: Path) -> None:
    missing = tmp_path / "kubeconfig"
    done = load("batch", "--kubeconfig", str(missing))
    assert done.returncode == 2
    assert f"{missing}: No such file" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["batch", "--rate", "2"], "--rate: batch has none"),
        (["batch", "--kubeconfig", "k", "--hosts", "3"], "--hosts: of the lab, and --kubeconfig"),
        (["batch", "--clock", "virtual", "--processes", "2"], "--processes: of Locust"),
        (["batch", "--thresholds", "none.yaml"], "none.yaml: No such file"),
        (["batch", "--set", "world.hosts.cuont=3"], "world.hosts"),
        (["batch", "--namespace", "metal"], "--namespace: belongs to --kubeconfig"),
        (["storm"], "invalid choice: 'storm'"),
        (["batch", "--machines", "none"], "'none' is not a whole number from 1 to 10000"),
    ],
)
def test_bad_input_is_exit_2_in_words(arguments: list[str], said: str) -> None:
    done = load(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_page_shows_conflicts_queue_and_hosts_while_the_load_runs(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    size = ["--machines", "2", "--duration", "6", "--managers", "1", "--hold", "0.1"]
    running = subprocess.Popen(
        [sys.executable, "-m", "beskar7", "load", "soak", *size, "--web", str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        rows: list[dict[str, Any]] = []
        page = ""
        deadline = time.monotonic() + 90
        while not (rows and rows[-1]["provisioned"]):
            assert time.monotonic() < deadline, rows
            assert running.poll() is None
            try:
                page = fetch(port, "/beskar7").decode()
                rows = json.loads(fetch(port, "/beskar7/figures"))
            except OSError:  # not there yet
                time.sleep(0.3)
        assert "Claim attempts that conflicted" in page
        assert rows[-1]["attempts"] >= 2
        assert sum(rows[-1]["hosts"].values()) == 2
        assert rows[-1]["queue"] >= 0
        said, _ = running.communicate(timeout=90)
        assert running.returncode == 0, said
    finally:
        running.kill()
        running.wait()


def fetch(port: int, path: str) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        found: bytes = answer.read()
        return found
