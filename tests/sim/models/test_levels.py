"""One scenario, each level: the same measures by the same names."""

from __future__ import annotations

import pytest

from scenarios.engine.loader import loads
from scenarios.fidelity.levels import Fidelity, play_at

TEXT = """
name: two
world: {hosts: {count: 3, vendors: {dell: 1}, scale: {boot: 0.02, latency: 0.2}}}
load: {machines: 2}
"""


@pytest.mark.parametrize("fidelity", ["model", "code"])
def test_a_level_measures(fidelity: Fidelity) -> None:
    played = play_at(fidelity, loads(TEXT), 3)
    assert played.metrics["provisioned"] == 2.0
    ready = played.metrics["ready_seconds.p95"]
    assert ready is not None
    assert ready > 0.0
    assert played.shortfalls == ()
