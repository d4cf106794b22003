"""What `beskar7 run --fidelity` refuses, and how checks are judged on estimates."""

from __future__ import annotations

import argparse
import math

import pytest

from scenarios import command
from scenarios.engine.schema import Check
from scenarios.fidelity.modelrun import judged
from scenarios.models.estimates import Estimate

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--fidelity", "model", "--clock", "live"], "--fidelity model has no clock"),
        (["--fidelity", "code", "--clock", "live"], "--fidelity code means --clock virtual"),
        (["--fidelity", "live", "--clock", "virtual"], "--fidelity live means --clock live"),
        (["--fidelity", "code", "--runs", "3"], "--runs 3: only of --fidelity model"),
        (["--clock", "virtual", "--runs", "3"], "--runs 3: only of --fidelity model"),
        (["--calibration", "c.yaml"], "--calibration c.yaml: only of --fidelity model"),
        (["--fidelity", "model", "--calibration", "none.yaml"], "none.yaml: "),
        (["--fidelity", "model", "--all"], "--all: not with --fidelity model"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    capsys: pytest.CaptureFixture[str], options: list[str], says: str
) -> None:
    parser = argparse.ArgumentParser()
    command.register(parser.add_subparsers())
    args = parser.parse_args(["run", "smoke", *options])
    assert args.run(args) == 2
    out, err = capsys.readouterr()
    assert says in err
    assert out == ""


KNOWN = {"ready_seconds.p95": Estimate(10.0, 1.0, 10), "claimed": Estimate(5.0, 0.0, 10)}


@pytest.mark.parametrize(
    ("check", "outcome"),
    [
        (Check("ready_seconds.p95", "seconds", maximum=11.0), "passed"),
        (Check("ready_seconds.p95", "seconds", maximum=10.5), "not judged"),
        (Check("ready_seconds.p95", "seconds", maximum=8.9), "failed"),
        (Check("ready_seconds.p95", "seconds", minimum=9.0), "passed"),
        (Check("ready_seconds.p95", "seconds", minimum=9.5), "not judged"),
        (Check("ready_seconds.p95", "seconds", minimum=11.1), "failed"),
        (Check("claimed", "count", equals=5.0), "passed"),
        (Check("claimed", "count", equals=4.0), "failed"),
        (Check("ready_seconds.p95", "seconds", equals=10.0), "not judged"),
        (Check("bmc_requests", "count", maximum=1.0), "not judged"),
    ],
)
def test_a_check_is_judged_against_the_whole_interval(check: Check, outcome: str) -> None:
    assert judged(check, KNOWN).outcome == outcome


def test_one_run_is_judged_by_its_value_for_want_of_an_interval() -> None:
    single = {"ready_seconds.p95": Estimate(10.0, math.inf, 1)}
    check = Check("ready_seconds.p95", "seconds", maximum=10.5)
    assert judged(check, single).outcome == "passed"
