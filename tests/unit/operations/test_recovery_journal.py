"""The journal of a recovery: answers that were lost, takers-over, and hands that spoiled it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from beskar7.api.errors import NotFound, ServiceUnavailable
from beskar7.api.kinds import CONFIG_MAP
from beskar7.manifests.rights import NAMESPACE
from beskar7.operations.recover.journal import NAME, Journal, RecoveryRefused, TakenOver
from beskar7.runtime import LiveRuntime
from emulator.kube.inprocess import InProcessKube, LatencyModel
from emulator.kube.world import new_store

pytestmark = pytest.mark.unit


class Desk:
    """A store, and operators of it; ``lost`` writes are done, and their answers do not come."""

    def __init__(self) -> None:
        self.store = new_store(LiveRuntime(seed=1))
        self.lost = 0

    def journal(self, seed: int) -> Journal:
        runtime = LiveRuntime(seed=seed)
        kube = InProcessKube(self.store, runtime, latency=LatencyModel(0.0, 0.0), after=self._after)
        cluster: Any = SimpleNamespace(kube=kube, runtime=runtime, namespace=NAMESPACE)
        return Journal(cluster)

    def _after(self, verb: str, kind: object, namespace: str, name: str) -> None:
        if self.lost and verb != "get":
            self.lost -= 1
            raise ServiceUnavailable("connection reset by peer")

    def data(self) -> dict[str, str]:
        found: dict[str, str] = self.store.get(CONFIG_MAP, NAMESPACE, NAME).copy()["data"]
        return found


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_what_is_written_is_read_by_another(desk: Desk) -> None:
    first = desk.journal(1)
    assert first.read() is None
    record = first.begin("queue", {"value": None, "ops": 3})
    record.under_way, record.done = "resume", ["drain"]
    first.write(record)
    found = desk.journal(2).read()
    assert found is not None
    assert (found.procedure, found.saved) == ("queue", {"value": None, "ops": 3})
    assert (found.under_way, found.done) == ("resume", ["drain"])


def test_an_answer_that_was_lost_is_no_other_operator(desk: Desk) -> None:
    journal = desk.journal(1)
    desk.lost = 1
    record = journal.begin("queue", {})
    desk.lost, record.under_way = 1, "drain"
    journal.write(record)
    assert desk.data()["underWay"] == "drain"
    desk.lost = 1
    journal.end()
    with pytest.raises(NotFound):
        desk.data()


def test_who_was_taken_over_from_writes_nothing_more(desk: Desk) -> None:
    first, second = desk.journal(1), desk.journal(2)
    record = first.begin("queue", {})
    found = second.read()
    assert found is not None
    second.take_over(found)
    record.under_way = "drain"
    with pytest.raises(TakenOver, match="somebody else carries"):
        first.write(record)
    with pytest.raises(TakenOver):
        first.end()
    assert desk.data()["underWay"] == ""
    second.end()
    with pytest.raises(TakenOver, match="has ended"):
        first.write(record)


def test_a_label_that_somebody_puts_on_it_changes_nothing(desk: Desk) -> None:
    journal = desk.journal(1)
    record = journal.begin("queue", {})
    desk.store.patch(CONFIG_MAP, NAMESPACE, NAME, {"metadata": {"labels": {"seen": "by-me"}}})
    record.under_way = "drain"
    journal.write(record)
    assert desk.data()["underWay"] == "drain"
    assert desk.store.get(CONFIG_MAP, NAMESPACE, NAME).copy()["metadata"]["labels"]["seen"]


def test_two_that_begin_at_once_are_one(desk: Desk) -> None:
    desk.journal(1).begin("queue", {})
    with pytest.raises(RecoveryRefused, match="begun just now"):
        desk.journal(2).begin("hosts", {})


@pytest.mark.parametrize(
    "spoiled",
    [{"saved": None}, {"saved": "{"}, {"saved": "3"}, {"done": "{"}, {"procedure": None}],
)
def test_what_nobody_can_read_is_not_guessed_at(desk: Desk, spoiled: dict[str, Any]) -> None:
    desk.journal(1).begin("queue", {})
    desk.store.patch(CONFIG_MAP, NAMESPACE, NAME, {"data": spoiled})
    with pytest.raises(RecoveryRefused, match="not as a recovery left it"):
        desk.journal(2).read()
