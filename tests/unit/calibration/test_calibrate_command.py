"""``beskar7 fleet calibrate``: its words, its file, and a fleet that answers as was recorded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from beskar7.cli import main
from beskar7.runtime import VirtualRuntime
from emulator.bmc.fleet import Fleet
from emulator.bmc.personalityfile import load, personalities
from emulator.bmc.redfish import Request
from emulator.bmc.spec import Credentials, FleetSpec

pytestmark = pytest.mark.unit


def record(file: Path, size: int = 800) -> dict[str, list[float]]:
    rng = np.random.default_rng(3)
    recorded = {
        "system": rng.lognormal(-2.0, 0.6, size),
        "media": rng.gamma(4.0, 0.3, size),
        "reset": np.concatenate([rng.normal(0.3, 0.02, size // 2), rng.normal(3.0, 0.1, size)]),
    }
    lines = ["operation,seconds"]
    lines += [f"{name},{value:.6f}" for name, values in recorded.items() for value in values]
    file.write_text("\n".join(lines))
    return {name: list(values) for name, values in recorded.items()}


def calibrate(*words: object) -> int:
    return main(["fleet", "calibrate", *map(str, words)])


def test_a_fleet_with_the_written_personality_shows_the_recorded_quantiles(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded = record(tmp_path / "lab.csv")
    out = tmp_path / "lab.yaml"
    assert calibrate(tmp_path / "lab.csv", "--base", "hpe", "-o", out) == 0
    said = capsys.readouterr()
    assert all(word in said.out for word in ("lognormal", "gamma", "empirical", "P99"))
    assert "left as hpe has them: get, collection, patch, boot, session" in said.err
    host = {"name": "h", "address": "127.10.0.1", "vendor": "lab", "firmware": "2.98"}
    spec = FleetSpec.from_dict({"hosts": [host], "personalities": [str(out)]})
    fleet = Fleet(spec, VirtualRuntime(1), Credentials("a", "b"))
    bmc = fleet.bmcs["h"]
    assert bmc.personality.manufacturer == "HPE"
    requests = {
        "system": Request("GET", "/redfish/v1/Systems/1", {}),
        "media": Request("POST", "/x/VirtualMedia.InsertMedia", {}),
        "reset": Request("POST", "/x/ComputerSystem.Reset", {}),
    }

    def answers(request: Request) -> list[float]:
        times = []
        for _ in range(3000):
            bmc.busy_until = 0.0  # No time passes here, and actions would wait for one another.
            plan = fleet.admit(bmc, request)
            fleet.finish(bmc, request, plan, None)
            times.append(plan.before + plan.after)
        return times

    for name, values in recorded.items():
        shown = np.quantile(answers(requests[name]), (0.5, 0.95, 0.99))
        assert shown == pytest.approx(np.quantile(values, (0.5, 0.95, 0.99)), rel=0.12), name


def test_the_file_says_where_its_figures_come_from(tmp_path: Path) -> None:
    record(tmp_path / "lab.csv", 60)
    out = tmp_path / "any.yaml"
    assert calibrate(tmp_path / "lab.csv", "--vendor", "my-lab", "-o", out) == 0
    family = load(out)["my-lab"]
    source = family.variants[0].sources["latency"]
    assert "lab.csv" in source
    assert "n 60" in source
    generic = personalities()["generic"].variants[0]
    assert family.variants[0].latency_of("patch") == generic.latency_of("patch")
    assert sorted(tmp_path.iterdir()) == [out, tmp_path / "lab.csv"]


def test_bad_input_is_named_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log, out = tmp_path / "lab.csv", tmp_path / "lab.yaml"
    log.write_text("get,0.5\nget,soon\n")
    assert calibrate(log, "-o", out) == 2
    said = capsys.readouterr().err
    assert f"{log}:2: seconds: must be a number" in said
    assert "Traceback" not in said
    assert not out.exists()
    assert calibrate(log, "--skip-bad", "-o", out) == 0
    assert "1 bad rows left out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--base", "acme"), "--base: must be one of dell"),
        (("--vendor", "My Lab"), "--vendor: must be lower-case letters"),
        (("--map", "x=fly"), "--map x: must mean one of get"),
        (("--map", "x"), "--map: must be NAME=VALUE"),
    ],
)
def test_bad_options_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], message: str
) -> None:
    log = tmp_path / "lab.csv"
    log.write_text("get,0.5\n")
    assert calibrate(log, *options, "-o", tmp_path / "lab.yaml") == 2
    assert message in capsys.readouterr().err


def test_few_values_are_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "lab.csv"
    log.write_text("get,0.5\nget,0.6\n")
    assert calibrate(log, "-o", tmp_path / "lab.yaml") == 0
    assert "get: only 2 observations: the shape is a guess" in capsys.readouterr().err
