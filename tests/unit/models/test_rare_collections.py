"""The collector of cycles is as it was once a run is over, however that ends."""

from __future__ import annotations

import gc

import pytest

from scenarios.models.collector import THRESHOLDS, rare_collections

pytestmark = pytest.mark.unit


def test_thresholds_come_back() -> None:
    before = gc.get_threshold()
    with rare_collections():
        assert gc.get_threshold() == THRESHOLDS
    assert gc.get_threshold() == before
    with pytest.raises(ValueError, match="broke off"), rare_collections():
        raise ValueError("it broke off")
    assert gc.get_threshold() == before
