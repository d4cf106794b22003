"""Arrivals and variants are the same for the code and for the model."""

from __future__ import annotations

from pathlib import Path

import pytest

from beskar7.api.kinds import BESKAR7_MACHINE
from scenarios.engine import trial
from scenarios.engine.history import dig
from scenarios.engine.loader import load, loads
from scenarios.models.play import simulate

pytestmark = pytest.mark.sim

SCENARIO = """
name: traced
world: {hosts: {count: 4, vendors: {dell: 1}, scale: {boot: 0.01, latency: 0.1}}}
load:
  arrivals: {trace: a.csv}
  mix: [{weight: 3}, {boot_mode: Legacy}]
  lifetime: {constant: 40s}
"""
TRACE = """timestamp,variant,lifetime_seconds
2026-03-02T08:00:05Z,2,
2026-03-02T08:00:00Z,,30
2026-03-02T08:00:00.5Z,1,
"""


def test_code_and_model_play_a_trace(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(TRACE, encoding="utf-8")
    (tmp_path / "s.yaml").write_text(SCENARIO, encoding="utf-8")
    made = load(str(tmp_path / "s.yaml"))
    code, model = trial.play(made, 1), simulate(made, 1)
    assert code.passed, code.shortfalls()
    for name in ("machines_created", "machines_deleted", "provisioned", "released"):
        assert code.metrics[name] == model.metrics[name] == 3, name
    made_as = [
        dig(record.object, "spec", "bootMode")
        for record in code.evidence.history.writes
        if record.kind == BESKAR7_MACHINE.kind and record.verb == "create"
    ]
    assert made_as == [made_as[0], made_as[0], "Legacy"] != ["Legacy"] * 3
    comes = [one.created - model.machines[0].created for one in model.machines]
    assert comes == pytest.approx([0.0, 0.5, 5.0])


def test_the_model_gives_variants_their_turns_by_weight() -> None:
    text = """
name: weighed
world: {hosts: {count: 8, groups: [{count: 2, tags: [gpu]}]}}
load:
  machines: 8
  mix: [{weight: 3}, {weight: 1, requirements: {required_tags: [gpu]}}]
"""
    made = loads(text)
    code, model = trial.play(made, 1), simulate(made, 1)
    assert code.passed
    assert model.metrics["provisioned"] == code.metrics["provisioned"]
    assert model.metrics["waiting"] == code.metrics["waiting"]


def test_machines_of_acts_stay_in_the_model_as_in_the_code() -> None:
    text = """
name: acted
world: {hosts: {count: 4}}
load: {machines: 1, lifetime: {constant: 20s}}
acts: [{at: 1s, create_machines: {count: 2}}]
"""
    made = loads(text)
    code, model = trial.play(made, 1), simulate(made, 1)
    assert code.metrics["machines_deleted"] == model.metrics["machines_deleted"] == 1
