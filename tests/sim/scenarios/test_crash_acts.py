"""Acts that kill a manager at a call of its own, and start another in its place."""

from __future__ import annotations

from typing import Any

import pytest

from beskar7.api.problems import DocumentError
from scenarios.command import BAD_INPUT
from scenarios.engine.evidence import Incident
from scenarios.engine.history import consumer_uid
from scenarios.engine.loader import loads

pytestmark = pytest.mark.sim

SCENARIO = """\
name: crash
world:
  hosts: {count: 3, scale: {boot: 0.005, latency: 0.05}}
  managers:
    replicas: 1
    args: {leader-elect-lease-duration: 5s, leader-elect-renew-deadline: 3s,
           leader-elect-retry-period: 1s}
  config: {provisioning.bmcCooldownPeriod: 1s}
load: {machines: 2}
acts:
  - when: {door: DOOR}
    kill_manager: {restart: 2s}
  - when: {settled: true}
    delete_machines: {count: 1}
checks:
  - {measure: provisioned, equals: 2}
  - {measure: released, equals: 1}
limits: {timeout: 5m, enrol_timeout: 60s}
"""
CLAIM = "{moment: call, match: 'update PhysicalHost'}"
CLAIMED = "{moment: answer, match: 'update PhysicalHost'}"
SECOND = "{nth: 2, moment: answer, match: 'POST *ComputerSystem.Reset'}"


def deaths(result: Any) -> list[Incident]:
    kinds = ("kill-manager", "start-manager")
    return [incident for incident in result.evidence.incidents if incident.kind in kinds]


@pytest.mark.parametrize("door", [CLAIM, CLAIMED, SECOND])
def test_the_only_manager_dies_there_and_the_next_goes_on(play: Any, door: str) -> None:
    result = play(SCENARIO.replace("DOOR", door))
    assert result.passed, (result.evidence.reason, result.violations[:3], result.checks)
    killed, started = deaths(result)
    assert (killed.subject, started.subject) == ("manager-1", "manager-2")
    assert started.time - killed.time == pytest.approx(2.0, abs=0.2)
    history = result.evidence.history
    written = [
        record.time
        for record in history.writes
        if record.kind == "PhysicalHost" and record.outcome == "ok" and consumer_uid(record.object)
    ]
    if door == CLAIM:
        assert "at the call update PhysicalHost" in killed.detail
        assert not [time for time in written if time <= killed.time]
    elif door == CLAIMED:
        assert [time for time in written if time <= killed.time]
    else:
        resets = [r for r in result.evidence.requests if r.action.startswith("reset:")]
        assert sum(request.end <= killed.time for request in resets) == 2
    assert not [r for r in history.writes if r.client.endswith("-1") and r.time > killed.time]


def test_one_that_was_killed_by_the_clock_is_replaced_as_well(play: Any) -> None:
    text = SCENARIO.replace("when: {door: DOOR}", "at: 500ms")
    result = play(text.replace("{restart: 2s}", "{target: any, restart: 2s}"))
    assert result.passed, (result.evidence.reason, result.violations[:3], result.checks)
    killed, started = deaths(result)
    assert started.time - killed.time == pytest.approx(2.0, abs=0.2)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("DOOR", "{nth: 0}"), "it has to be from 1 to"),
        (("DOOR", "{moment: before}"), '"before" is unknown'),
        (("DOOR", "{nth: 1, mach: x}"), 'did you mean "match"'),
        (("{restart: 2s}", "{target: leader}"), "whoever goes through the door is killed"),
        (("    kill_manager: {restart: 2s}", "    delay: 1s\n    kill_manager: {}"), "at once"),
        (("kill_manager: {restart: 2s}", "start_manager: {}"), "for kill_manager only"),
        (("{restart: 2s}", "{restart: 2}"), "2 has no unit"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(change: tuple[str, str], said: str) -> None:
    text = SCENARIO.replace(*change).replace("DOOR", "{nth: 1}")
    with pytest.raises(DocumentError, match=r"s\.yaml:1[123]") as caught:
        loads(text, "s.yaml")
    assert said in str(caught.value)


def test_wall_time_refuses_a_door(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    from beskar7.cli import main

    path = tmp_path / "crash.yaml"
    path.write_text(SCENARIO.replace("DOOR", CLAIM))
    with pytest.raises(SystemExit) as caught:
        raise SystemExit(main(["run", str(path)]))
    assert caught.value.code == BAD_INPUT
    assert "acts.0.when.door: only in virtual time; give --clock virtual" in capsys.readouterr().err
