"""What a rehearsal's cause may break, and for how long; and the procedures among its remedies."""

from __future__ import annotations

import pytest

from beskar7.api.problems import DocumentError
from scenarios.engine import invariants
from scenarios.engine.evidence import Evidence
from scenarios.engine.invariants import Judged, Rules, Violation
from scenarios.engine.loader import loads
from scenarios.engine.rehearsal.record import Part, Step
from scenarios.engine.rehearsal.remedies import Recover

pytestmark = pytest.mark.unit

TEXT = """\
name: split
world: {hosts: {count: 2}}
load: {machines: 2}
rehearsal:
  cause: [{at: 0s, create_machines: {count: 1}}]
  symptom: [{metric: beskar7_leader, min: 2, within: 9s}]
  remedy: [{REMEDY}]
  recovery: [{hosts: Error, max: 0, within: 9s}]
  breaks: [BREAKS]
"""


def text(remedy: str = "recover: split-brain", breaks: str = "bmc-exclusive") -> str:
    return TEXT.replace("REMEDY", remedy).replace("BREAKS", breaks)


def evidence() -> Evidence:
    """The cause is there from 10 s on, and the remedy is done at 20 s."""
    found = Evidence(loads(text()), "virtual", 1)
    found.parts = [
        Part("cause", 5.0, 10.0, [Step("patch", at=10.0, outcome="done")]),
        Part("symptom", 10.0, 12.0),
        Part("remedy", 12.0, 20.0),
        Part("recovery", 20.0, 30.0),
    ]
    found.complete = True
    return found


@pytest.mark.parametrize(
    ("name", "times", "verdict", "expected"),
    [
        ("bmc-exclusive", [10.0, 15.0, 20.0], "held", "3 times not"),
        ("bmc-exclusive", [], "held", "0 times not"),
        ("bmc-exclusive", [9.9, 15.0], "violated", "1 times not"),
        ("bmc-exclusive", [15.0, 20.1], "violated", "1 times not"),
        ("bmc-cooldown", [15.0], "violated", ""),  # the file does not say that one
    ],
)
def test_it_is_broken_from_the_cause_to_the_remedy_and_no_longer(
    monkeypatch: pytest.MonkeyPatch, name: str, times: list[float], verdict: str, expected: str
) -> None:
    broken = [Violation(name, "host-001", "", time, "twice") for time in times]
    monkeypatch.setitem(
        invariants.INVARIANTS, name, (lambda evidence, rules: Judged(list(broken), 9), ())
    )
    judged = {each.name: each for each in invariants.judge(evidence(), Rules())}[name]
    assert (judged.verdict, expected in judged.reason) == (verdict, True)


def test_who_owns_a_host_is_broken_by_nothing() -> None:
    with pytest.raises(DocumentError, match="'single-owner' may not be broken by a cause"):
        loads(text(breaks="bmc-exclusive, single-owner"))


@pytest.mark.parametrize(
    ("remedy", "action"),
    [
        ("recover: queue, ops: 7, restart: true", Recover("queue", (), True, 7)),
        ("recover: hosts, names: [a, b]", Recover("hosts", ("a", "b"))),
    ],
)
def test_a_procedure_has_what_its_command_has(remedy: str, action: Recover) -> None:
    script = loads(text(remedy)).rehearsal
    assert script is not None
    assert script.remedy == (action,)


@pytest.mark.parametrize(
    ("remedy", "said"),
    [
        ("recover: queue, ops: 51", "from 1 to 50"),
        ("recover: hosts, ops: 5", "is of recover: queue alone"),
        ("recover: split-brain, restart: true", "is of recover: queue alone"),
        ("recover: queue, names: [a]", "is of recover: hosts alone"),
    ],
)
def test_what_a_procedure_does_not_have_is_said(remedy: str, said: str) -> None:
    with pytest.raises(DocumentError, match=said):
        loads(text(remedy))
