"""The shapes of load in virtual time: users that ask, keep, give back, and give up."""

from __future__ import annotations

import pytest

from loadtest.lifecycle import Settings
from loadtest.shapes import Shape, Size, shape
from scenarios.engine.result import Result
from scenarios.engine.trial import play
from scenarios.load.people import People
from scenarios.load.world import scenario

pytestmark = pytest.mark.sim


def put(made: Shape, limits: Settings | None = None, **world: int) -> Result:
    return play(
        scenario(made, **world),
        1,
        load=lambda _, evidence: People(made, evidence, limits or Settings()),
    )


@pytest.mark.parametrize(
    "made",
    [
        shape("batch", Size(machines=6)),
        shape("steps", Size(machines=10)),
        shape("spike", Size(machines=10)),
        shape("scale-down", Size(machines=8)),
    ],
    ids=lambda made: made.name,
)
def test_each_user_has_one_machine_and_gives_it_back(made: Shape) -> None:
    result = put(made)
    assert result.passed, result.verdict()
    for name in ("machines_created", "provisioned", "machines_deleted", "released"):
        assert result.metrics[name] == made.machines, name


def test_a_sustained_rate_asks_at_its_appointments() -> None:
    made = shape("sustained", Size(rate=0.5, seconds=20.0))
    result = put(made, hosts=12)
    assert result.passed, result.verdict()
    created = sorted(
        track.versions[0].time - result.evidence.origin
        for track in result.evidence.history.machines.values()
    )
    assert created == pytest.approx(made.appointments(), abs=0.01)


def test_a_soak_asks_again_as_long_as_it_lasts() -> None:
    made = shape("soak", Size(machines=3, seconds=60.0))
    result = put(made)
    assert result.passed, result.verdict()
    created = result.metrics["machines_created"] or 0
    assert created >= 9
    assert result.metrics["machines_deleted"] == created
    latest = max(
        track.versions[0].time - result.evidence.origin
        for track in result.evidence.history.machines.values()
    )
    assert 30.0 < latest < 61.0


def test_all_machines_of_a_scale_down_go_at_one_moment() -> None:
    result = put(shape("scale-down", Size(machines=6)))
    deleted = [
        record.time
        for record in result.evidence.history.writes
        if record.kind == "Beskar7Machine" and record.verb == "delete"
    ]
    assert len(deleted) == 6
    assert max(deleted) - min(deleted) < 0.5


def test_who_gets_no_host_gives_up_in_time() -> None:
    made = shape("batch", Size(machines=4, hold=300.0))
    result = put(made, Settings(claim_timeout=20.0), hosts=2)
    assert result.metrics["provisioned"] == 2
    assert result.metrics["machines_deleted"] == 4
    given_up = [
        record.time - result.evidence.origin
        for record in result.evidence.history.writes
        if record.kind == "Beskar7Machine" and record.verb == "delete"
    ]
    assert sorted(given_up)[:2] == pytest.approx([20.0, 20.0], abs=0.5)
