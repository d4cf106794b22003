"""Is a ConfigMap one that the controller would take, and what is said of one that is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from beskar7.api.problems import DocumentError
from beskar7.cli import main
from beskar7.config import KEYS, ConfigError, parse_tuning
from beskar7.operations.check_config import check

pytestmark = pytest.mark.unit

PRODUCTION = {
    "provisioning.maxConcurrentOps": "10",
    "provisioning.maxQueueSize": "75",
    "provisioning.operationTimeout": "5m",
    "provisioning.bmcCooldownPeriod": "1m",
    "provisioning.workerCount": "15",
    "hostSelection.algorithm": "deterministic",
    "leaderElection.leaseDuration": "20s",
    "leaderElection.renewDeadline": "15s",
    "log.format": "json",
}


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return path


def config_map(data: dict[str, object], name: str = "beskar7-config") -> dict[str, object]:
    meta = {"name": name, "namespace": "beskar7-system"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}


@pytest.mark.parametrize("form", ["yaml", "json", "list", "among-others", "bare"])
def test_every_form_in_which_people_keep_a_config_map_is_read(tmp_path: Path, form: str) -> None:
    wanted = config_map(dict(PRODUCTION))
    text = {
        "yaml": yaml.safe_dump(wanted),
        "json": json.dumps(wanted, indent=2),
        "list": yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": [wanted]}),
        "among-others": yaml.safe_dump_all([{"kind": "Namespace"}, config_map({}, "x"), wanted]),
        "bare": yaml.safe_dump(PRODUCTION),
    }[form]
    verdict = check(written(tmp_path, text))
    assert verdict.problems == []
    assert verdict.tuning == parse_tuning(PRODUCTION)
    assert verdict.tuning.bmc_cooldown == 60.0  # the guide's validator refuses "1m"


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("provisioning.maxConcurrentOps", "5", 'text, not the number 5; write "5"'),
        ("provisioning.maxConcurrentOps", '"51"', "not a whole number from 0 to 50"),
        ("provisioning.bmcCooldownPeriod", '"10"', "is not a duration"),
        ("provisioning.bmcCooldown", '"10s"', 'did you mean "provisioning.bmcCooldownPeriod"'),
        ("metrics.enableProfiling", "yes", 'text, not the boolean true; write "true"'),
        ("leaderElection.renewDeadline", '"20s"', "must be shorter than"),
        ("log.level", '"chatty"', "is not one of debug, error, info, warning"),
    ],
)
def test_a_mistake_is_named_with_its_line_and_what_would_be_right(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], key: str, value: str, said: str
) -> None:
    text = f"kind: ConfigMap\nmetadata: {{name: beskar7-config}}\ndata:\n  {key}: {value}\n"
    path = written(tmp_path, text)
    assert main(["check-config", str(path)]) == 1
    printed = capsys.readouterr().out
    assert f"{path}:4: {key}: " in printed
    assert said in printed


def test_advice_is_no_refusal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = {"provisioning.maxConcurrentOps": "11", "provisioning.workerCount": "8"}
    path = written(tmp_path, yaml.safe_dump(config_map(dict(data))))
    assert main(["check-config", str(path), "--output", "json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["valid"]
    keys = {entry["key"] for entry in said["advice"]}
    assert keys == {"provisioning.workerCount", "provisioning.maxQueueSize"}
    assert said["effective"]["provisioning.workerCount"] == "8"


@pytest.mark.parametrize(
    "text", ["", "kind: Secret\n", "a: [", "kind: ConfigMap\nmetadata: {}\n", "- 1\n", "\x00"]
)
def test_what_holds_no_config_map_is_bad_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    path = written(tmp_path, text)
    assert main(["check-config", str(path)]) == 2
    assert str(path) in capsys.readouterr().err


def test_a_file_that_is_not_there_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="cannot read it"):
        check(tmp_path / "missing.yaml")


@given(st.dictionaries(st.sampled_from(sorted(KEYS)), st.text(max_size=8), max_size=4))
def test_the_file_and_the_running_controller_are_of_one_opinion(data: dict[str, str]) -> None:
    """Whatever the values, both take a ConfigMap or both refuse it."""
    import tempfile

    try:
        parse_tuning(data)
        taken = True
    except ConfigError:
        taken = False
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(config_map(dict(data)), file)
        file.flush()
        assert (check(Path(file.name)).problems == []) == taken
