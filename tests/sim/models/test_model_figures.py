"""The model's figures at a fixed seed are as they were written: no change of it goes unseen."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = pytest.mark.sim

PATH = Path(__file__).parents[3] / "ci/model_figures.py"


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ci_model_figures", PATH)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_model_says_what_it_said() -> None:
    figures = script()
    lines = figures.differences(figures.kept(), figures.figures())
    told = "\n".join(lines[:20])
    assert not lines, f"on purpose? then python ci/model_figures.py --write\n{told}"


def test_a_difference_is_told_and_the_last_bit_is_none() -> None:
    differences = script().differences
    was = {"churn": {"claimed": 40.0, "queue_seconds.p95": 1.25, "conflict_ratio": None}}
    same = {
        "churn": {"claimed": 40.0, "queue_seconds.p95": 1.25 * (1 + 1e-12), "conflict_ratio": None}
    }
    assert differences(was, same) == []
    other = {"churn": {"claimed": 40.0, "queue_seconds.p95": 1.2500001, "released": 0.0}}
    assert differences(was, other) == [
        "churn: conflict_ratio is absent, and was None",
        "churn: queue_seconds.p95 is 1.2500001, and was 1.25",
        "churn: released is 0.0, and was absent",
    ]
