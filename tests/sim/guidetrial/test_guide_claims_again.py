"""Cheap claims of the guide's trial, played again: their verdicts are those of the page."""

from __future__ import annotations

from pathlib import Path

import pytest
from guidetrial.catalogue import CLAIMS, EXPERIMENTS, SUMS, rests_on
from guidetrial.estimate import judge
from guidetrial.kept import Figures, Results
from guidetrial.players import play_missing

pytestmark = pytest.mark.sim


@pytest.mark.parametrize("id", ["stress-bound", "bmc-ceiling", "enrol-batch"])
def test_a_claim_played_again_has_its_verdict(id: str, tmp_path: Path) -> None:
    (claim,) = (each for each in CLAIMS if each.id == id)
    experiments = [EXPERIMENTS[name] for name in rests_on(claim) if name in EXPERIMENTS]
    results, told = Results(tmp_path / "results.json"), list[str]()
    play_missing(experiments, results, "test", told.append)
    assert judge(claim, Figures(results, SUMS))[0] == claim.found_for
    # What was kept is not played again.
    played = len(told)
    play_missing(experiments, Results(tmp_path / "results.json"), "test", told.append)
    assert (played, len(told)) == (sum(each.seeds for each in experiments),) * 2
