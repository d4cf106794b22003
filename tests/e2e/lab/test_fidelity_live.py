"""`beskar7 fidelity` with real processes: the code in virtual time against what they measure."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from beskar7.cli import main

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
    errors = pair["scenarios"][0]["errors"]
    ready = errors["total_ready_seconds.p95"]
    # Both draw the same boots; what differs are sockets and processes, on a machine that is busy.
    assert ready["level"] > 1.0
    assert ready["against"] > 1.0
    assert "conflict_ratio" in errors
    assert "utilisation" in errors
    assert "2 of 2: pair live seed 1" in err
