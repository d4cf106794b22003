"""The load test from end to end: a lab of its own, Locust as a child, findings and exit code."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        importlib.util.find_spec("locust") is None, reason="the extra `load` is not installed"
    ),
]

ROOT = Path(__file__).parents[3]


def load_test(summary: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    size = ["--hosts", "4", "--managers", "1", "--users", "3", "--spawn-rate", "3"]
    return subprocess.run(
        [sys.executable, "-m", "loadtest", *size, "--summary", str(summary), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_a_good_installation_holds_and_a_broken_promise_is_exit_1(tmp_path: Path) -> None:
    good = load_test(tmp_path / "good.json", "--duration", "4", "--", "--hold", "0.1")
    assert good.returncode == 0, good.stdout + good.stderr
    found = json.loads((tmp_path / "good.json").read_text())
    assert found["passed"] is True
    for measure in ("time-to-claim", "time-to-provisioned", "time-to-release"):
        row = found["measures"][measure]
        assert row["count"] > 0, measure
        assert row["failed"] == 0, measure
        assert 0 < row["p50"] <= row["max"], measure
    assert found["claim_attempts"]["success"] >= found["measures"]["time-to-claim"]["count"]
    assert "HELD: every promise held" in good.stdout

    # A limit that no machine can keep: 0.05 s for media, power and boot.
    hopeless = ["--duration", "2", "--", "--provision-timeout", "0.05", "--hold", "0.1"]
    bad = load_test(tmp_path / "bad.json", *hopeless)
    assert bad.returncode == 1, bad.stdout + bad.stderr
    found = json.loads((tmp_path / "bad.json").read_text())
    assert found["passed"] is False
    assert found["measures"]["time-to-provisioned"]["failed"] > 0
    assert "FELL SHORT" in bad.stdout


def test_a_cluster_that_cannot_be_reached_is_said_in_words(tmp_path: Path) -> None:
    missing = tmp_path / "kubeconfig"
    done = load_test(tmp_path / "none.json", "--kubeconfig", str(missing), "--duration", "2")
    assert done.returncode == 2
    assert f"{missing}: No such file" in done.stderr
    assert "Traceback" not in done.stderr
