"""A machine's life in the load test: what is measured, what is an outcome, what is a failure."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

from loadtest.api import Api, ApiError, Unreachable
from loadtest.kubeconfig import Access
from loadtest.lifecycle import BrokenPromise, HostLedger, Lifecycle, Settings

pytestmark = pytest.mark.unit

LIMITS = Settings(claim_timeout=5, provision_timeout=20, release_timeout=5, hold=1)
WAITING: dict[str, Any] = {}
CLAIMED = {"hostRef": {"name": "host-1"}, "phase": "Provisioning"}
DONE = {"hostRef": {"name": "host-1"}, "phase": "Provisioned"}


class World(Api):
    """An API server for one machine: its statuses are served at the seconds given."""

    def __init__(self, script: list[tuple[float, dict[str, Any]]], *, deletable: bool = True):
        super().__init__(Access("http://127.0.0.1:1"), "test")
        self.now = 0.0
        self.script = list(script)
        self.deletable = deletable
        self.owner: dict[str, Any] | None = {"name": "m-1", "uid": "u-m-1"}
        self.deleted = 0
        self.refuse: list[Exception] = []
        self.version = 1

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def machine(self, status: dict[str, Any]) -> dict[str, Any]:
        self.version += 1
        meta = {"name": "m-1", "uid": "u-m-1", "resourceVersion": str(self.version)}
        return {"metadata": meta, "status": status}

    def request(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        if self.refuse:
            raise self.refuse.pop(0)
        if method == "POST":
            assert body["spec"]["osFamily"] == "kairos"
            return self.machine({})
        if method == "DELETE":
            self.deleted += 1
            return {}
        assert urlsplit(path).path.endswith("/physicalhosts/host-1")
        return {"spec": {"consumerRef": self.owner}}

    @contextmanager
    def stream(self, path: str, timeout: float) -> Iterator[Any]:
        if self.deleted and self.deletable:
            self.now += 0.5
            yield self.lines("DELETED", {})
        elif self.script and self.script[0][0] <= self.now + timeout:
            at, status = self.script.pop(0)
            self.now = max(self.now, at)
            yield self.lines(status.pop("type", "MODIFIED"), status)
        else:
            self.now += timeout
            raise TimeoutError

    def lines(self, type_: str, status: dict[str, Any]) -> io.BytesIO:
        return io.BytesIO(
            json.dumps({"type": type_, "object": self.machine(status)}).encode() + b"\n"
        )


class Notes:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.times: dict[str, float] = {}
        self.broken: dict[str, str] = {}
        self.outcomes: Counter[str] = Counter()
        self.moments: list[str] = []

    def measured(self, name: str, seconds: float, error: BrokenPromise | None = None) -> None:
        if error:
            self.broken[name] = str(error)
        else:
            self.times[name] = round(seconds, 3)

    def outcome(self, name: str) -> None:
        self.outcomes[name] += 1

    def life(self, moment: str) -> None:
        self.moments.append(moment)


def live(world: World, ledger: HostLedger | None = None, late: float = 0.0) -> Notes:
    notes = Notes()
    lifecycle = Lifecycle(
        world, LIMITS, ledger or HostLedger(), notes, clock=world.clock, sleep=world.sleep
    )
    lifecycle.run("m-1", late)
    return notes


def test_a_good_life_gives_three_times_and_no_failure() -> None:
    world = World([(0.2, WAITING), (0.5, CLAIMED), (8.0, DONE)])
    notes = live(world)
    assert notes.broken == {}
    assert notes.times["time-to-claim"] == pytest.approx(0.5, abs=0.1)
    assert notes.times["time-to-provisioned"] == pytest.approx(8.0, abs=0.2)
    assert notes.times["time-to-release"] == pytest.approx(0.5, abs=0.1)
    assert world.deleted == 1
    assert notes.moments == ["begun", "served", "over"]


def test_a_late_request_counts_from_when_it_was_to_be_made() -> None:
    world = World([(0.2, WAITING), (0.5, CLAIMED), (8.0, DONE)])
    notes = live(world, late=3.0)
    assert notes.times["time-to-claim"] == pytest.approx(3.5, abs=0.1)
    assert notes.times["time-to-provisioned"] == pytest.approx(11.0, abs=0.2)


def test_whoever_cannot_even_ask_is_over_all_the_same() -> None:
    world = World([])
    world.refuse = [Unreachable("gone")]
    notes = Notes()
    with pytest.raises(Unreachable):
        Lifecycle(world, LIMITS, HostLedger(), notes, clock=world.clock).run("m-1")
    assert notes.moments == ["begun", "served", "over"]


def test_a_machine_is_kept_until_all_are_given_back() -> None:
    world = World([(0.5, CLAIMED), (2.0, DONE)])
    kept: list[tuple[float, float]] = []
    lifecycle = Lifecycle(
        world,
        LIMITS,
        HostLedger(),
        Notes(),
        clock=world.clock,
        sleep=world.sleep,
        keep=lambda seconds: kept.append((world.now, seconds)),
    )
    lifecycle.run("m-1")
    assert kept == [(2.0, LIMITS.hold)]
    assert world.deleted == 1


def test_no_claim_in_time_is_a_broken_promise_and_no_release_is_measured() -> None:
    world = World([(0.2, WAITING)])
    notes = live(world)
    assert notes.broken == {"time-to-claim": "no host claimed"}
    assert notes.times == {}
    assert world.deleted == 1


def test_claimed_but_never_provisioned() -> None:
    notes = live(World([(0.5, CLAIMED)]))
    assert "phase Provisioning" in notes.broken["time-to-provisioned"]
    assert set(notes.times) == {"time-to-claim", "time-to-release"}


def test_phase_failed_says_why() -> None:
    failed = {**CLAIMED, "phase": "Failed", "failureMessage": "BMC said no"}
    notes = live(World([(0.5, CLAIMED), (1.0, failed)]))
    assert notes.broken == {"time-to-provisioned": "phase Failed: BMC said no"}


def test_a_machine_that_vanishes_is_a_broken_promise() -> None:
    notes = live(World([(0.5, {"type": "DELETED"})]))
    assert "nobody deleted it" in notes.broken["time-to-claim"]


def test_deletion_that_does_not_end() -> None:
    notes = live(World([(0.5, DONE)], deletable=False))
    assert notes.broken == {"time-to-release": "deleted but still there"}


def test_a_second_owner_in_the_ledger() -> None:
    ledger = HostLedger()
    assert ledger.claim("host-1", "m-0") is None
    notes = live(World([(0.5, CLAIMED)]), ledger)
    assert notes.broken == {"single-owner": "host-1 is owned by m-0 and by m-1"}
    assert ledger.claim("host-1", "m-2") == "m-0"


def test_a_host_that_names_another_owner() -> None:
    world = World([(0.5, DONE)])
    world.owner = {"name": "m-9", "uid": "u-9"}
    assert live(world).broken == {"single-owner": "host-1 belongs to m-9, while m-1 holds it"}
    world = World([(0.5, DONE)])
    world.owner = {"name": "m-1", "uid": "of an earlier machine of that name"}
    assert "single-owner" in live(world).broken


def test_a_host_given_up_for_another_is_an_outcome() -> None:
    elsewhere = {"hostRef": {"name": "host-1"}, "phase": "Provisioned"}
    first = {"hostRef": {"name": "host-2"}, "phase": "Provisioning"}
    notes = live(World([(0.5, first), (1.0, elsewhere)]))
    assert notes.broken == {}
    assert notes.outcomes["host given up before Provisioned"] == 1
    assert notes.times["time-to-claim"] == pytest.approx(0.5, abs=0.1)


def test_after_its_life_the_host_is_free_in_the_ledger() -> None:
    ledger = HostLedger()
    live(World([(0.5, DONE)]), ledger)
    assert ledger.claim("host-1", "m-2") is None


def test_a_request_that_is_refused_is_the_callers_matter() -> None:
    world = World([])
    world.refuse = [ApiError(403, "Forbidden", "no")]
    with pytest.raises(ApiError):
        live(world)
    assert world.deleted == 0


def test_deletion_is_asked_again_until_it_is_heard() -> None:
    world = World([(0.5, DONE)])
    notes = Notes()
    lifecycle = Lifecycle(world, LIMITS, HostLedger(), notes, clock=world.clock, sleep=world.sleep)
    original = world.request

    def flaky(method: str, path: str, body: Any = None) -> dict[str, Any]:
        if method == "DELETE" and not notes.outcomes["deletion asked again"]:
            raise Unreachable("reset")
        return original(method, path, body)

    world.request = flaky  # type: ignore[method-assign]  # a stub for one call
    lifecycle.run("m-1")
    assert notes.broken == {}
    assert "time-to-release" in notes.times


def test_a_user_that_is_stopped_leaves_no_machine() -> None:
    class Stopped(BaseException):
        """What gevent's kill raises, in kind."""

    world = World([(0.5, DONE)])
    notes = Notes()
    ledger = HostLedger()

    def stop(_: float) -> None:
        if notes.times:
            raise Stopped

    lifecycle = Lifecycle(world, LIMITS, ledger, notes, clock=world.clock, sleep=stop)
    with pytest.raises(Stopped):
        lifecycle.run("m-1")
    assert world.deleted == 1
    assert notes.outcomes["abandoned at the end of the test"] == 1
    assert ledger.claim("host-1", "m-2") is None
