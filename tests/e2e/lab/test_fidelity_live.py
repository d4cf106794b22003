"""`beskar7 fidelity` with real processes: the code in virtual time against what they measure."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from beskar7.cli import main
from scenarios.fidelity.runs import read_runs

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

TEXT = """
name: pair
world: {hosts: {count: 3, vendors: {dell: 1}, scale: {boot: 0.02, latency: 0.2}}}
load: {machines: 3}
"""


def test_code_is_compared_with_live(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "pair.yaml"
    path.write_text(TEXT)
    words = ["fidelity", str(path), "--levels", "code,live", "--seeds", "1", "--jobs", "1"]
    assert main([*words, "--report", str(tmp_path / "out"), "--output", "json"]) == 0
    out, err = capsys.readouterr()
    (pair,) = json.loads(out)["pairs"]
    assert (pair["level"], pair["against"]) == ("code", "live")
    assert "2 of 2: pair live seed 1" in err
    code, live = read_runs(tmp_path / "out" / "runs.jsonl")
    assert (code.level, live.level) == ("code", "live")
    assert live.metrics.keys() == code.metrics.keys()
    assert live.metrics["provisioned"] == 3.0
    for measure in ("total_ready_seconds.p95", "queue_length", "utilisation"):
        assert (live.metrics[measure] or 0.0) > 0.0, measure
    # On a machine with other work, as when tests run beside each other, times are not compared.
    compared = "total_ready_seconds.p95" in pair["scenarios"][0]["errors"]
    assert compared is not (live.disturbed or bool(live.bottleneck))
