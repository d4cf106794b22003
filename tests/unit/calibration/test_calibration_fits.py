"""Known distributions are found again: within the confidence region of what was drawn."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from emulator.calibration import laws
from emulator.calibration.data import Data
from emulator.calibration.fits import CLOSE, LEVEL, choose
from emulator.calibration.observations import Sample
from emulator.fields import FieldError
from emulator.latency import Latency

pytestmark = pytest.mark.unit

REGION = 13.8
"""Twice the log-likelihood that the truth may fall short: 99.9 % of chi-square, two parameters."""
TRUTHS = [
    Latency(0.15, "lognormal", 0.5),
    Latency(1.2, "lognormal", 0.9),
    Latency(0.15, "gamma", 0.09),
    Latency(2.0, "gamma", 1.5),
    Latency(0.3, "uniform", 0.2),
]
BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0, math.inf)


def drawn(truth: Latency, size: int = 900, seed: int = 11) -> list[float]:
    return [float(value) for value in laws.draws(truth, size, np.random.default_rng(seed))]


def binned(values: list[float], bounds: tuple[float, ...] = BUCKETS) -> Sample:
    edges = (0.0, *bounds)
    counts = {
        (low, high): float(sum(low < value <= high for value in values))
        for low, high in pairwise(edges)
    }
    return Sample(bins=counts)


def rounded(values: list[float]) -> Sample:
    sample = Sample()
    for value in values:
        middle = round(value, 2)
        bounds = (max(0.0, round(middle - 0.005, 3)), round(middle + 0.005, 3))
        sample.bins[bounds] = sample.bins.get(bounds, 0.0) + 1
    return sample


def chosen_of(sample: Sample) -> Latency:
    return choose(sample, np.random.default_rng(5)).latency


@pytest.mark.parametrize("truth", TRUTHS, ids=str)
@pytest.mark.parametrize("seen", [lambda v: Sample(values=v), rounded, binned], ids="vrb")
def test_the_truth_lies_in_the_confidence_region(truth: Latency, seen) -> None:
    sample = seen(drawn(truth))
    data = Data(sample)
    fits = {fit.latency.distribution: fit for fit in choose(sample, np.random.default_rng(5)).fits}
    if truth.distribution == "uniform":
        # Its likelihood has no slope at the ends: they are within the extremes' own scatter.
        found = fits["uniform"].latency
        width = 0.02 if seen is not binned else 0.3
        assert found.mean == pytest.approx(truth.mean, abs=width)
        return
    found = fits[truth.distribution].latency
    shortfall = 2 * (data.likelihood(found) - data.likelihood(truth))
    assert -1e-3 <= shortfall <= REGION


@pytest.mark.parametrize("truth", TRUTHS, ids=str)
def test_the_right_distribution_wins_among_many_values(truth: Latency) -> None:
    choice = choose(Sample(values=drawn(truth, 3000)), np.random.default_rng(5))
    assert choice.latency.distribution == truth.distribution
    assert choice.distance <= CLOSE
    for data, fit in zip(choice.data_quantiles, choice.fit_quantiles, strict=True):
        assert fit == pytest.approx(data, rel=0.1)


def test_p_values_of_the_truth_are_spread_and_not_all_low() -> None:
    """Under the hypothesis a p-value is uniform: half of twenty lie above a half, give or take."""
    values = [
        choose(Sample(values=drawn(TRUTHS[0], 200, seed)), np.random.default_rng(seed)).p_value
        for seed in range(20)
    ]
    assert 3 <= sum(value is not None and value > 0.5 for value in values) <= 17
    assert sum(value is not None and value < LEVEL for value in values) <= 5


def test_what_no_distribution_fits_is_kept_as_it_is() -> None:
    rng = np.random.default_rng(1)
    values = [*rng.normal(0.1, 0.005, 400), *rng.normal(2.0, 0.1, 400)]
    choice = choose(Sample(values=values), np.random.default_rng(5))
    assert choice.latency.distribution == "empirical"
    assert choice.fits
    assert not choice.fits[0].good
    assert choice.fit_quantiles == pytest.approx(choice.data_quantiles, rel=0.05)
    assert chosen_of(binned(values)).distribution == "empirical"


def test_equal_values_are_a_constant_however_they_were_rounded() -> None:
    assert chosen_of(Sample(values=[0.2] * 5)) == Latency(0.2)
    assert chosen_of(rounded([0.2] * 5)).distribution == "constant"
    assert chosen_of(Sample(values=[0.2])) == Latency(0.2)


def test_zeros_and_two_values_do_not_break_it() -> None:
    assert chosen_of(Sample(values=[0.0, 0.0])).mean == pytest.approx(0.0, abs=1e-6)
    assert chosen_of(Sample(values=[0.0, 0.1, 0.2])).mean > 0.0
    assert chosen_of(Sample(values=[0.1, 0.2])).mean == pytest.approx(0.15, rel=0.5)


def test_the_bootstrap_is_repeatable() -> None:
    sample = Sample(values=drawn(TRUTHS[0]))
    assert [choose(sample, np.random.default_rng(3)).p_value for _ in range(2)] == [
        choose(sample, np.random.default_rng(3)).p_value
    ] * 2


@pytest.mark.parametrize("latency", TRUTHS, ids=str)
def test_the_laws_are_those_that_the_fleet_draws_from(latency: Latency) -> None:
    from random import Random

    rng = Random(2)
    values = np.asarray(sorted(latency.draw(rng) for _ in range(4000)))
    shares = np.arange(1, 4001) / 4000
    # 1.95 / sqrt(n): Kolmogorov's 99.9 %.
    assert np.abs(laws.cdf(latency, values) - shares).max() < 1.95 / math.sqrt(4000)
    for share, at in zip((0.5, 0.95), laws.quantiles(latency, (0.5, 0.95)), strict=True):
        assert laws.cdf(latency, np.asarray([at]))[0] == pytest.approx(share)


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        (Sample([0.1], {(0.0, 1.0): 2.0}, ["a", "b"]), "all measured values or all buckets"),
        (Sample([], {(0.0, 1.0): 2.0, (0.5, 2.0): 1.0}, ["a"]), "the same buckets everywhere"),
    ],
)
def test_what_does_not_go_together_is_refused(sample: Sample, message: str) -> None:
    with pytest.raises(FieldError, match=message):
        sample.check("get")
