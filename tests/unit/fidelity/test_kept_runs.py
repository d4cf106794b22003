"""The file of runs: what is in it is not played again, whatever ended the session."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenarios.engine.loader import loads
from scenarios.fidelity.runs import Kept, RunsError, Store, print_of, read_runs

pytestmark = pytest.mark.unit

TEXT = """
name: small
world: {hosts: {count: 2}}
load: {machines: 2}
"""
RUN = Kept("small", "p", "code", 1, {"claimed": 2.0, "conflict_ratio": None}, 1.5, ("slow",))


def test_what_was_added_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "made" / "runs.jsonl"
    store = Store(path)
    assert store.kept == {}
    store.add(replace(RUN, seed=2))
    store.add(RUN)
    store.add(replace(RUN, wall_seconds=9.0))
    again = Store(path)
    assert again.kept == store.kept
    assert again.kept[RUN.key].wall_seconds == 9.0, "the last one counts"
    again.add(replace(RUN, scenario_print="old"))
    again.add(replace(RUN, scenario="other", scenario_print="its own"))
    again.tidy({"small": "p"})
    left = [(run.scenario, run.seed) for run in read_runs(path)]
    assert left == [("other", 1), ("small", 1), ("small", 2)], "in order, once each, as they are"


def test_a_line_that_was_broken_off_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    store = Store(path)
    store.add(RUN)
    store.add(replace(RUN, seed=2))
    path.write_bytes(path.read_bytes()[:-10])
    assert [run.seed for run in read_runs(path)] == [1]


@given(st.binary(max_size=200))
def test_other_files_are_refused_with_the_line(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("runs") / "runs.jsonl"
    path.write_bytes(content + b"\n")
    with pytest.raises(RunsError, match=r"runs\.jsonl:1: is not a run"):
        read_runs(path)


@pytest.mark.parametrize(
    ("field", "value"),
    [("level", '"guess"'), ("metrics", "3"), ("more", "1"), ("seed", None)],
)
def test_a_run_has_its_fields_and_no_others(tmp_path: Path, field: str, value: str | None) -> None:
    import json

    path = tmp_path / "runs.jsonl"
    Store(path).add(RUN)
    found = json.loads(path.read_text())
    if value is None:
        del found[field]
    else:
        found[field] = json.loads(value)
    path.write_text(json.dumps(found) + "\n")
    with pytest.raises(RunsError, match="is not a run"):
        read_runs(path)


def test_runs_are_of_the_scenario_as_it_is() -> None:
    one = loads(TEXT)
    assert print_of(one) == print_of(loads(TEXT + "description: told otherwise\n"))
    for change in ("load.machines=3", "world.config.bmc.retryDelay=2s", "limits.timeout=1m"):
        assert print_of(one) != print_of(loads(TEXT, overrides=[change])), change
