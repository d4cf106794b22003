"""CI's own Python: the judge of a result, and the real output in the README."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]


def script(name: str) -> ModuleType:
    """A module of ci/, which is no package."""
    spec = importlib.util.spec_from_file_location(f"ci_{name}", ROOT / "ci" / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


check_result = script("check_result")
readme_output = script("readme_output")
bench = script("bench")

GOOD: dict[str, Any] = {
    "scenario": "claim-storm",
    "clock": "live",
    "seed": 7,
    "passed": True,
    "checks": [{"measure": "claim_seconds.p95", "outcome": "passed"}],
    "invariants": {"single-owner": {"verdict": "held"}},
    "metrics": {"claims": 50},
    "wall_seconds": 21.5,
    "virtual_seconds": 20.0,
}


def test_a_good_result_has_no_shortcomings(tmp_path: Path) -> None:
    assert check_result.shortcomings(GOOD) == []
    (tmp_path / "result.json").write_text(json.dumps(GOOD))
    (tmp_path / "report.html").write_text("<!doctype html><html></html>")
    assert check_result.main(["", str(tmp_path)]) == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"passed": False}, "passed is not true"),
        ({"passed": "true"}, "passed has the wrong type"),
        ({"seed": True}, "seed has the wrong type"),
        ({"invariants": {}}, "invariants is empty"),
        ({"checks": []}, "checks is empty"),
        ({"metrics": {}}, "metrics is empty"),
        (
            {"invariants": {"single-owner": {"verdict": "violated"}}},
            "invariant single-owner did not",
        ),
        ({"invariants": {"single-owner": {"verdict": "inconclusive"}}}, "single-owner did not"),
        ({"invariants": {"single-owner": "held"}}, "single-owner did not"),
        ({"checks": [{"measure": "p95", "outcome": "failed"}]}, "check did not pass"),
        ({"checks": [{"measure": "p95"}]}, "check did not pass"),
    ],
)
def test_each_shortcoming_is_said(change: dict[str, Any], said: str) -> None:
    assert any(said in line for line in check_result.shortcomings({**GOOD, **change}))


def test_a_check_without_a_verdict_on_speed_is_told_and_no_shortcoming() -> None:
    check = {"measure": "claim_seconds.p95", "outcome": "not judged", "reason": "fleet was busy"}
    result = {**GOOD, "checks": [check]}
    assert check_result.shortcomings(result) == []
    assert check_result.unjudged(result) == ["claim_seconds.p95: fleet was busy"]


@pytest.mark.parametrize("field", sorted(GOOD))
def test_a_missing_field_is_said(field: str) -> None:
    without = {name: value for name, value in GOOD.items() if name != field}
    assert check_result.shortcomings(without) == [f"field {field} is missing"]


def test_a_report_that_is_missing_or_unreadable(tmp_path: Path) -> None:
    assert "No such file" in check_result.inspect(tmp_path)[0]
    (tmp_path / "result.json").write_text("{")
    assert "not JSON" in check_result.inspect(tmp_path)[0]
    (tmp_path / "result.json").write_text(json.dumps(GOOD))
    assert "report.html is missing" in check_result.inspect(tmp_path)[0]
    assert check_result.main(["", str(tmp_path)]) == 1


README = f"# Title\n{readme_output.BEGIN}\nold\n{readme_output.END}\nrest\n"


def test_the_block_is_replaced_and_nothing_else() -> None:
    output = "Creating .venv with Python 3.11\n\x1b[32mheld\x1b[0m\n10 %\r20 %\n"
    filled = readme_output.fill(README, output)
    assert filled == (
        f"# Title\n{readme_output.BEGIN}\n```console\n$ make demo\nheld\n20 %\n```\n"
        f"{readme_output.END}\nrest\n"
    )
    assert readme_output.fill(filled, output) == filled


def test_a_long_output_loses_its_middle_and_says_so() -> None:
    tidy = readme_output.tidy("\n".join(f"line {n}" for n in range(100))).splitlines()
    assert tidy[0] == "line 0"
    assert tidy[-1] == "line 99"
    assert len(tidy) == readme_output.HEAD_LINES + readme_output.TAIL_LINES + 1
    assert "60 lines" in tidy[readme_output.HEAD_LINES]


def test_a_readme_without_markers_is_refused() -> None:
    with pytest.raises(SystemExit, match="markers"):
        readme_output.fill("# Title\n", "held")


def test_the_readme_has_its_markers() -> None:
    readme_output.block((ROOT / "README.md").read_text(encoding="utf-8"))


def runs(**changes: dict[str, Any]) -> dict[str, dict[str, Any]]:
    base: dict[str, dict[str, Any]] = {
        "live": {"trace_hash": None, "wall_seconds": 20.0},
        "virtual": {"trace_hash": "a", "wall_seconds": 1.5},
        "virtual again": {"trace_hash": "a", "wall_seconds": 1.5},
        "virtual other seed": {"trace_hash": "b", "wall_seconds": 1.5},
    }
    return {
        name: {"exit": 0, "passed": True, **base[name], **changes.get(name.replace(" ", "_"), {})}
        for name in base
    }


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"virtual_again": {"trace_hash": "x"}}, "two traces"),
        ({"virtual_other_seed": {"trace_hash": "a"}}, "same trace"),
        ({"virtual": {"wall_seconds": 2.5}}, "12.5% of the live wall time"),
        ({"live": {"passed": False, "exit": 1}}, "live: the run fell short (exit 1)"),
        (
            {
                "live": {
                    "passed": False,
                    "checks": [{"measure": "claimed", "value": 59, "outcome": "failed"}],
                    "invariants": {"no-orphans": {"verdict": "violated"}},
                }
            },
            "fell short (exit 0): claimed = 59, no-orphans",
        ),
    ],
)
def test_the_bench_judges_its_runs(changes: dict[str, Any], said: str) -> None:
    assert bench.judge(runs()) == []
    assert any(said in line for line in bench.judge(runs(**changes)))
