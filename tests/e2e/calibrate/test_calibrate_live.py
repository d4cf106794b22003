"""Real processes are measured, and what was measured is a calibration."""

from __future__ import annotations

from pathlib import Path

import pytest

from beskar7.cli import main
from scenarios.models.calibration import Calibration

pytestmark = pytest.mark.e2e

SMALL = (
    *("world.hosts.count=11", "load.machines=6", "load.arrivals.constant=2/s"),
    *("load.lifetime.constant=4s", "acts.0.create_machines.count=5"),
)


def test_a_live_run_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "calibration.yaml"
    changed = [word for override in SMALL for word in ("--set", override)]
    # Whatever else runs on the machine of the tests: only that it is measured matters here.
    assert main(["calibrate", "--force", *changed, "--output", str(path)]) == 0
    out = capsys.readouterr().out
    assert "claim_seconds.p95" in out
    found = Calibration.load(path)
    assert found.source.startswith("live run of calibrate, seed 1, ")
    # Between processes a request costs what it costs in no virtual time, and so does a creation.
    assert 0.0 < found.bmc_request < 1.0
    assert 0.0 < found.create < 1.0
