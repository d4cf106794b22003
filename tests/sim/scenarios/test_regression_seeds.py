"""Worlds in which a defect was found: each must hold for ever after."""

from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = pytest.mark.sim

SEEDS = sorted(Path(__file__).parents[1].joinpath("seeds").glob("*.yaml"))


@pytest.mark.parametrize("path", SEEDS, ids=lambda path: path.stem)
def test_world_holds(play, path: Path):
    """The file's name ends in the seed; its first comment says what was wrong."""
    result = play(path.read_text(encoding="utf-8"), seed=int(path.stem.rpartition("-")[2]))
    assert result.evidence.ending == "settled", result.evidence.reason
    assert result.passed, result.violations[:3]


def test_there_are_seeds():
    assert SEEDS
