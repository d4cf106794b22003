"""A calibration is read as it was written, or its mistake is named with file, line and field."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beskar7.api.problems import DocumentError
from emulator.kube.inprocess import LatencyModel
from scenarios.calibrate.files import save, written
from scenarios.calibrate.fit import Measured, calibration
from scenarios.calibrate.option import add_calibration, calibration_of
from scenarios.models.calibration import TIMES, Calibration

pytestmark = pytest.mark.unit

ABOUT = {"from": "live", "scenario": "calibrate", "seed": 7, "cores": 2, "python": "3.11.7"}


def times(**values: float) -> list[Measured]:
    plain = Calibration().values() | values
    return [Measured(name, plain[name], 9, 0.5, 0.4, 0.6, 0.5, 0.9) for name in TIMES]


@given(
    seconds=st.lists(st.floats(1e-6, 59.0), min_size=9, max_size=9),
    sigma=st.floats(0.0, 4.9),
)
def test_what_was_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, seconds: list[float], sigma: float
) -> None:
    names = [name for name in TIMES if name != "api_sigma"]
    values = dict(zip(names, seconds, strict=True)) | {"api_sigma": sigma}
    path = tmp_path_factory.mktemp("calibration") / "c.yaml"
    save(path, times(**values), ABOUT)
    assert Calibration.load(path).values() == pytest.approx(values, rel=1e-3, abs=1e-12)


def test_a_file_says_where_its_times_come_from(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    save(path, times(), ABOUT | {"bottleneck": "fleet was busy"})
    found = Calibration.load(path)
    assert found.source == (
        "live run of calibrate, seed 7, 2 cores, Python 3.11.7, "
        "measured in spite of a bottleneck: fleet was busy"
    )
    assert replace(found, source=Calibration().source) == Calibration()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("beskar7_calibration: 1", "beskar7_calibration: 2", "c.yaml:1: beskar7_calibration: is 2"),
        ("beskar7_calibration: 1", "calibration: 1", "unknown field"),
        ("  handoff:", "  handof:", 'times.handof: unknown field; did you mean "handoff"'),
        ("  seen:", "  sean:", r"times.seen: is missing"),
        ("value: 0.0028", "value: soon", 'value: has to be a number, not the text "soon"'),
        ("value: 0.0028", "value: -1", "value: is -1; it has to be from 0 to 60"),
        ("value: 0.0028", "value: .inf", "value: is inf; it has to be from 0 to 60"),
        ("value: 0.0028", "worth: 0.0028", "handoff.worth: unknown field"),
        ("value: 0.5\n", "value: 6\n", r"times.api_sigma.value: is 6; it has to be from 0 to 5"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, old: str, new: str, says: str) -> None:
    path = tmp_path / "c.yaml"
    text = written(times(), ABOUT)
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(DocumentError, match=says) as found:
        Calibration.load(path)
    assert all(problem.where.line for problem in found.value.problems)


def test_the_option_gives_the_file_or_the_default(tmp_path: Path) -> None:
    parser = argparse.ArgumentParser()
    add_calibration(parser)
    assert calibration_of(parser.parse_args([])) == Calibration()
    path = tmp_path / "c.yaml"
    save(path, times(handoff=0.25), ABOUT)
    assert calibration_of(parser.parse_args(["--calibration", str(path)])).handoff == 0.25
    with pytest.raises(DocumentError, match=r"none\.yaml: cannot read it"):
        calibration_of(parser.parse_args(["--calibration", str(tmp_path / "none.yaml")]))


def test_the_default_is_the_latency_of_virtual_time() -> None:
    assert Calibration().api == LatencyModel()
    assert calibration(times(), "virtual time") == Calibration()
