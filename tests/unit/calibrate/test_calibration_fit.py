"""What is fitted to spans, and when nothing is to be measured."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beskar7.cli import main
from scenarios.calibrate import command
from scenarios.calibrate.fit import LEAST, api_of, root
from scenarios.calibrate.spans import alone
from scenarios.engine.evidence import Evidence
from scenarios.engine.loader import load
from scenarios.engine.result import Result
from scenarios.models.estimates import estimate
from scenarios.models.known import check

pytestmark = pytest.mark.unit

SEEDS = 40


@pytest.mark.parametrize(("half", "delivery", "sigma"), [(0.0005, 0.002, 0.5), (0.02, 0.001, 1.0)])
def test_the_latency_of_a_known_api_is_found(half: float, delivery: float, sigma: float) -> None:
    """Over many samples of it: without bias, so that their mean's interval holds the truth."""
    found: dict[str, list[float]] = {}
    for seed in range(SEEDS):
        rng = random.Random(seed)

        def one(median: float, rng: random.Random = rng) -> float:
            return median * rng.lognormvariate(0.0, sigma)

        call = [one(half) + one(half) for _ in range(200)]
        watch = [one(delivery) + one(half) for _ in range(400)]
        for name, value in api_of(call, watch).items():
            found.setdefault(name, []).append(value)
    # The sum of two lognormals is not quite one: 3 % of the truth are allowed beside the interval.
    for name, truth in (("api_request", half), ("api_sigma", sigma)):
        mean = estimate(found[name], 0.999)
        assert abs(mean.mean - truth) <= mean.half + 0.03 * truth, name
    if delivery > half:
        mean = estimate(found["api_delivery"], 0.999)
        assert abs(mean.mean - delivery) <= mean.half + 0.03 * delivery


def test_too_few_calls_say_nothing_of_the_api() -> None:
    assert api_of([0.1] * (LEAST - 1), [0.1])["api_request"] == 0.0005


@given(slope=st.floats(0.1, 100.0), begin=st.floats(0.0, 1.0), at=st.floats(0.0, 1.0))
def test_the_root_of_what_rises_is_found(slope: float, begin: float, at: float) -> None:
    found = root(lambda value: begin + slope * value, begin + slope * at, 1.0)
    assert found == pytest.approx(at, abs=3e-4)


def test_what_is_never_reached_or_always_is_at_an_end() -> None:
    assert root(lambda value: 5.0, 3.0, 1.0) == 0.0
    assert root(lambda value: value, 3.0, 1.0) == pytest.approx(1.0, abs=1e-3)


def test_only_who_overlaps_nobody_is_alone() -> None:
    stretches = {
        "a": (0.0, 1.0),
        "b": (2.0, 9.0),
        "c": (3.0, 4.0),
        "d": (5.0, 6.0),
        "e": (10.0, 11.0),
        "f": (12.0, None),
        "g": (11.0, 13.0),
    }
    assert alone(stretches) == {"a"}
    del stretches["g"]
    assert alone(stretches) == {"a", "e"}


def result(ending: str, bottleneck: str) -> Result:
    evidence = Evidence(load(command.probe()), "live", 1)
    evidence.ending = ending  # type: ignore[assignment] # one of the literals
    return Result(evidence, [], [], {}, 1.0, 1.0, bottleneck)


def test_a_run_that_says_nothing_is_refused() -> None:
    assert command.unfit(result("settled", ""), force=False) == ""
    assert "ended timeout" in command.unfit(result("timeout", ""), force=True)
    refused = command.unfit(result("settled", "fleet was at its limit"), force=False)
    assert "the harness was the bottleneck (fleet was at its limit)" in refused
    assert "--force" in refused
    assert command.unfit(result("settled", "fleet was at its limit"), force=True) == ""


def test_a_busy_machine_is_no_place_to_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    assert command.too_busy(2.0) == ""
    assert "2.1 processes want to run on 2 cores already" in command.too_busy(2.1)


def test_the_probe_is_what_the_model_can_play() -> None:
    scenario = load(command.probe())
    check(scenario)
    assert replace(scenario.load, machines=1).lifetime is not None


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["nothing"], "no scenario of this name"),
        (["claim-storm"], "the model does not know"),
        (["--set", "load.machines=x"], "has to be a whole number"),
        (["--output", "."], "is a directory; give a file"),
    ],
)
def test_bad_input_is_named(
    args: list[str], says: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["calibrate", "--from", "code", *args]) == 2
    assert says in capsys.readouterr().err
