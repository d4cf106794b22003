"""What is measured in virtual time is what virtual time was given."""

from __future__ import annotations

from pathlib import Path

import pytest

from beskar7.cli import main
from scenarios.calibrate.command import probe
from scenarios.calibrate.fit import Measured, measured
from scenarios.engine import trial
from scenarios.engine.evidence import Evidence
from scenarios.engine.loader import load
from scenarios.models.calibration import Calibration

pytestmark = pytest.mark.sim

SMALL = ["world.hosts.count=20", "load.machines=20", "acts.0.create_machines.count=10"]
SLOW_API = (
    "faults=[{id: slow, target: api, kind: latency, latency: {distribution: constant, mean: 20ms}}]"
)


def played(*overrides: str) -> Evidence:
    result = trial.play(load(probe(), [*SMALL, *overrides]), 2)
    assert result.passed, result.shortfalls()
    return result.evidence


def by_name(evidence: Evidence) -> dict[str, Measured]:
    return {time.name: time for time in measured(evidence)}


def test_the_api_of_virtual_time_is_found() -> None:
    evidence = played()
    found, plain = by_name(evidence), Calibration().values()
    assert all(time.known for time in found.values()), found
    call, watch = found["api_request"], found["api_delivery"]
    # The means of a call and of a watch with half a call, of lognormals with these medians.
    grown = 1.133148  # exp(sigma^2 / 2)
    assert call.low <= 2 * plain["api_request"] * grown <= call.high
    assert watch.low <= (plain["api_delivery"] + plain["api_request"]) * grown <= watch.high
    assert found["api_sigma"].value == pytest.approx(plain["api_sigma"], rel=0.3)
    # To compute takes no virtual time, and nothing is between a BMC and who asks it.
    assert found["processor"].value == found["bmc_request"].value == 0.0
    for name in ("create", "seen", "handoff", "told", "finish"):
        assert found[name].value == pytest.approx(plain[name], rel=0.3), name

    # Were it wall time, what claims of many at once take more would be put down to the processor.
    evidence.clock = "live"
    busy = by_name(evidence)["processor"]
    assert 0.0 <= busy.value < busy.mean


def test_a_slower_api_is_seen_as_such() -> None:
    slow, plain = by_name(played(SLOW_API)), Calibration()
    added = 2 * (slow["api_request"].value - plain.api.request)
    assert added == pytest.approx(0.020, rel=0.15)
    assert slow["handoff"].value > plain.handoff + 0.020
    assert slow["told"].value > plain.told


def test_the_command_writes_what_the_model_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "calibration.yaml"
    changed = [word for override in SMALL for word in ("--set", override)]
    assert main(["calibrate", "--from", "code", *changed, "--output", str(path)]) == 0
    out = capsys.readouterr()
    assert "claim_seconds.p95" in out.out
    assert f"written: {path}" in out.err
    found = Calibration.load(path)
    assert found.source.startswith("code run of calibrate, seed 1, ")
    assert 0.0 < found.handoff < 0.01
    text = path.read_text(encoding="utf-8")
    assert "command: beskar7 calibrate --from code --seed 1 --set world.hosts.count=20" in text
