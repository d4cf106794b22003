"""``beskar7 faults`` against a running lab: BMCs' faults and the API's, by file and by option."""

from __future__ import annotations

import argparse
import json
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from beskar7.api.errors import ApiError
from beskar7.api.kinds import PHYSICAL_HOST
from scenarios import faults
from scenarios.engine.live import LiveWorld

pytestmark = pytest.mark.e2e

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(world: LiveWorld, capsys: pytest.CaptureFixture[str]) -> Iterator[Command]:
    """Runs ``beskar7 faults ...`` on the module's lab: exit code, stdout, stderr."""
    parser = argparse.ArgumentParser()
    faults.register(parser.add_subparsers(required=True))

    def run(*words: str | Path, lab: bool = True) -> tuple[int, str, str]:
        where = ["--lab", str(world.lab.directory)] if lab else []
        args = parser.parse_args(["faults", *map(str, words), *where])
        code = args.run(args)
        said = capsys.readouterr()
        return code, said.out, said.err

    yield run
    world.lab.fleet.clear_faults()
    world.lab.api.clear_faults()


def test_a_fault_by_options_is_seen_listed_and_cleared(world: LiveWorld, command: Command) -> None:
    options = [
        "--kind",
        "error",
        "--id",
        "sick",
        "--select",
        "host=host-001",
        "--set",
        "status=500",
    ]
    code, out, _ = command("add", *options, "--set", "duration=10m", "--output", "json")
    assert (code, json.loads(out)) == (0, {"added": ["sick"]})
    answer = requests.get(world.lab.addresses["host-001"] + "/redfish/v1/", timeout=5)
    assert answer.status_code == 500
    code, out, _ = command("list", "--output", "json")
    [listed] = json.loads(out)["faults"]
    assert (listed["id"], listed["target"], listed["kind"]) == ("sick", "bmc", "error")
    assert (listed["hosts"], listed["duration"], listed["active"]) == (["host-001"], 600.0, True)
    assert listed["hits"] >= 1
    code, out, _ = command("list")
    assert code == 0
    assert "sick" in out
    assert "status=500" in out
    assert command("clear", "sick")[:2] == (0, "cleared: 1\n")
    answer = requests.get(world.lab.addresses["host-001"] + "/redfish/v1/", timeout=5)
    assert answer.status_code == 200
    assert command("list")[1] == "no faults\n"


def test_a_file_reaches_bmcs_and_api(world: LiveWorld, command: Command, tmp_path: Path) -> None:
    file = tmp_path / "faults.yaml"
    file.write_text(
        "faults:\n"
        "  - {kind: drip, rate: 100, select: {fraction: 0.5}}\n"
        "  - {id: api-sick, target: api, kind: error, status: 500,\n"
        "     select: {clients: ['beskar7-scenario*'], kinds: [PhysicalHost]}}\n"
    )
    code, _, err = command("add", file)
    assert (code, err) == (0, "")
    with pytest.raises(ApiError, match="api-sick"):
        world.kube.list(PHYSICAL_HOST, "default")
    assert sorted(
        f["target"] for f in json.loads(command("list", "--output", "json")[1])["faults"]
    ) == ["api", "bmc"]
    assert command("clear", "--all")[:2] == (0, "cleared: 2\n")
    assert len(world.kube.list(PHYSICAL_HOST, "default").items) == 3


def test_what_is_wrong_is_told_with_file_line_and_field(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "faults.yaml"
    file.write_text("- kind: html\n- kind: drop\n  rate: 1\n- kind: stale-power\n  lag: 5\n")
    code, _, err = command("add", file)
    assert code == 2
    assert f'{file}:2: faults[1].kind: "drop" is unknown; did you mean "drip"?' in err
    assert f"{file}:5: faults[2].lag: 5 has no unit; write for example 5s" in err
    assert command("list")[1] == "no faults\n"
    code, _, err = command("add", tmp_path / "absent.yaml")
    assert code == 2
    assert "absent.yaml" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["add"], "give either a FILE or --kind KIND"),
        (["add", "--kind", "html", "--set", "lag=5s"], "--set lag=5s: fault.lag: belongs to"),
        (["add", "--kind", "drip", "--set", "rate"], "--set rate: write --set NAME=VALUE"),
        (["add", "--kind", "html", "--select", "rock=1"], "--select rock=1: fault.select.rocks"),
        (["add", "--kind", "html", "--select", "rack=none"], "selects none of the targets"),
        (["add", "--kind", "tls-failure"], "serves plain HTTP"),
        (["clear"], "give either an ID or --all"),
        (["clear", "nobody"], "no fault 'nobody'"),
    ],
)
def test_mistakes_of_the_command_line(command: Command, words: list[str], said: str) -> None:
    code, out, err = command(*words)
    assert (code, out) == (2, "")
    assert said in err


def test_which_lab(
    world: LiveWorld, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(world.lab.kubeconfig))
    assert command("list", lab=False)[:2] == (0, "no faults\n")
    monkeypatch.setenv("KUBECONFIG", "")
    code, _, err = command("list", lab=False)
    assert (code, "which lab?" in err) == (2, True)
    code, _, err = command("list", "--lab", tmp_path, lab=False)
    assert (code, "no running lab" in err) == (2, True)
    for name in ("fleet-control", "fleet-token", "kubeconfig", "token"):
        source = world.lab.directory / name
        assert stat.S_IMODE(source.stat().st_mode) == 0o600
        (tmp_path / name).write_text(source.read_text())
    (tmp_path / "fleet-control").write_text("http://127.0.0.1:9")
    code, _, err = command("list", "--lab", tmp_path, lab=False)
    assert (code, "refused" in err) == (1, True)
