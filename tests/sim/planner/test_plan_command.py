"""``beskar7 plan`` as a person calls it."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
import yaml

from beskar7.cli import main
from beskar7.operations.check_config import check

pytestmark = pytest.mark.sim

RANGES = [
    *("--range", "replicas=2", "--range", "reconciles=10", "--range", "mode=claims"),
    *("--range", "algorithm=deterministic", "--range", "queue=50", "--range", "cooldown=x1"),
    *("--range", "ops=5", "--range", "workers=3", "--range", "hosts=2..3"),
]
FAST = ["--set", "world.hosts.scale.boot=0.02", "--set", "world.hosts.scale.latency=0.2"]

LONE = "world.managers.args.leader-elect=false"


def test_a_plan_is_told_kept_and_made_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["plan", "--hosts", "3", "--machines", "2", "--vendors", "dell", *FAST, *RANGES]
    asked += ["--slo", "p99(time_to_provisioned)<40s", "--jobs", "1", "--verify", "none"]
    assert main([*asked, "--report", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "PLAN keeps its objectives with 95% confidence" in said
    kept = json.loads((tmp_path / "plan.json").read_bytes())
    assert kept["ending"] == "found"
    assert kept["chosen"]["hosts"] == "2"
    assert kept["objectives"][0]["limit"] < 40.0
    # The ConfigMap beside it is one that the controller would take.
    path = tmp_path / "beskar7-config.yaml"
    assert yaml.safe_load(path.read_text())["metadata"]["name"] == "beskar7-config"
    assert check(path).problems == []
    page = (tmp_path / "plan.html").read_text()
    assert "p99(time_to_provisioned)&lt;40s" in page
    assert "provisioning.workerCount" in page
    # The command that it gives makes the same plan again.
    again = shlex.split(kept["command"])[1:]
    assert main([*again, "--jobs", "1", "--output", "json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert {**made, "wallSeconds": 0} == {**kept, "wallSeconds": 0}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ([], "plan what?"),
        (["smoke"], "which objective?"),
        (["smoke", "--hosts", "3"], "--set load.machines=200"),
        (["smok", "--slo", "rejections<1"], 'did you mean "smoke"'),
        (["smoke", "--slo", "rejection<1"], 'did you mean "rejections"'),
        (["smoke", "--slo", "rejections<1", "--range", "worker=1"], 'did you mean "workers"'),
        (["smoke", "--slo", "rejections<1", "--cost", "x=1"], "AXIS=WEIGHT"),
        (["smoke", "--slo", "rejections<1", "--runs", "5"], "19 runs at least"),
        (["smoke", "--slo", "rejections<1", "--set", "load.machins=1"], "unknown field"),
        (["--from-prometheus", "ftp://x", "--slo", "rejections<1"], "http://127.0.0.1:9090"),
        (["--from-prometheus", "http://u:p@x", "--slo", "rejections<1"], "no user or password"),
        (["smoke", "--slo", "rejections<1", "--set", LONE], "the model does not know"),
    ],
)
def test_a_mistake_is_told_in_words(
    asked: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", "--jobs", "1", *asked]) == 2
    heard = capsys.readouterr().err
    assert said in heard
    assert "Traceback" not in heard
