"""A scenario's own ConfigMap is one that the controller takes; else the file is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from beskar7.api.problems import DocumentError
from beskar7.cli import main
from beskar7.redfish.vendors import VENDORS
from scenarios.engine.expand import cooldowns, tuning_of
from scenarios.engine.loader import loads
from scenarios.engine.schema import Configure

pytestmark = pytest.mark.unit

TEXT = """\
name: configured
world:
  hosts: {count: 2, vendors: {dell: 1}}
  managers:
    args: {log-level: info}
  config:
    provisioning.workerCount: 4
    leaderElection.renewDeadline: 8s
load: {machines: 1}
"""
WORKERS = "provisioning.workerCount: 4"
AT = "s.yaml:7: world.config.provisioning."


def said(text: str, *overrides: str) -> list[str]:
    with pytest.raises(DocumentError) as caught:
        loads(text, "s.yaml", overrides)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("workerCount: '0'", "workerCount: '0' is not a whole number from 1 to 75"),
        ("workerCount: many", "workerCount: 'many' is not a whole number from 1 to 75"),
        ("bmcCooldownPeriod: 0s", "bmcCooldownPeriod: '0s' is not a duration from 1s to 60s"),
        (
            "bmcCooldownPeriod: 5",
            "bmcCooldownPeriod: '5' is not a duration; write for example 10s, 1m30s or 250ms",
        ),
        ("workerCuont: 4", 'workerCuont: unknown; did you mean "provisioning.workerCount"?'),
    ],
)
def test_a_bad_setting_is_told_with_line_field_and_what_is_right(
    setting: str, message: str
) -> None:
    assert said(TEXT.replace(WORKERS, f"provisioning.{setting}")) == [AT + message]


def test_settings_that_contradict_each_other_are_told() -> None:
    late = TEXT.replace("renewDeadline: 8s", "renewDeadline: 20s")
    field = "world.config.leaderElection.renewDeadline"
    rule = "20s must be shorter than leaderElection.leaseDuration, 15s"
    assert said(late) == [f"s.yaml:8: {field}: {rule}"]
    # Only the other side of the rule is in the file.
    short = TEXT.replace("renewDeadline: 8s", "leaseDuration: 10s")
    rule = "10s must be shorter than leaderElection.leaseDuration, 10s"
    assert said(short) == [f"s.yaml:6: {field}: {rule}"]


def test_flags_of_the_managers_count_as_they_do_for_them() -> None:
    late = TEXT.replace("renewDeadline: 8s", "renewDeadline: 20s")
    longer = late.replace("log-level: info", "leader-elect-lease-duration: 30s")
    scenario = loads(longer.replace(WORKERS, "provisioning.bmcCooldownPeriod: 33s"))
    assert tuning_of(scenario).renew_deadline == 20.0
    # And what BMCs are owed is by these settings, not by defaults.
    assert set(cooldowns(scenario).values()) == {33.0}
    assert {vendor.cooldown for vendor in VENDORS}.isdisjoint({33.0})


def test_what_set_says_is_judged_too() -> None:
    found = said(TEXT, "world.config.provisioning.maxQueueSize=3")
    assert len(found) == 1
    assert "maxQueueSize=3: " in found[0]
    assert found[0].endswith("'3' is not a whole number from 10 to 500")


def test_the_run_is_not_begun(tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(TEXT.replace(WORKERS, "provisioning.workerCount: 0"), encoding="utf-8")
    assert main(["run", str(path), "--clock", "virtual"]) == 2
    captured = capsys.readouterr()
    assert f"{path}:7: world.config.provisioning.workerCount: '0' is not" in captured.err
    assert "Traceback" not in captured.err


def test_an_act_may_still_configure_what_the_controller_refuses() -> None:
    acts = "acts:\n  - {at: 1s, configure: {leaderElection.renewDeadline: 20s}}\n"
    (act,) = loads(TEXT + acts).acts
    assert act.action == Configure({"leaderElection.renewDeadline": "20s"})
