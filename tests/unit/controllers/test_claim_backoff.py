"""Contended claims: so many tries, then a wait that grows, ends at its maximum, and is jittered."""

from __future__ import annotations

import pytest

from beskar7.api.errors import (
    Conflict,
    Forbidden,
    ServiceUnavailable,
    Timeout,
    TooManyRequests,
    Unauthorized,
)
from beskar7.api.meta import ObjectKey
from beskar7.api.resources import Beskar7Machine, PhysicalHost
from beskar7.config import LeaseSettings, Tuning
from beskar7.controllers.claims import FIRST_BACKOFF, Claims, Contended
from beskar7.controllers.environment import Environment
from beskar7.coordination.hostpool import HostPool
from beskar7.flags import manager_settings
from beskar7.kube.controller import TemporaryError
from beskar7.metrics import Metrics
from beskar7.runtime import LiveRuntime

pytestmark = pytest.mark.unit


class Contested:
    """An API in which somebody else is always quicker, and gives the host back at once."""

    def __init__(self) -> None:
        self.tried: list[str] = []

    def update(self, kind, obj):
        self.tried.append(obj["metadata"]["name"])
        raise Conflict("the object has been modified")

    def get(self, kind, namespace, name):
        return host(name).raw


class Silent:
    def event(self, *args) -> None:
        return None


def host(name: str) -> PhysicalHost:
    return PhysicalHost(
        {
            "metadata": {"name": name, "namespace": "default", "resourceVersion": "1"},
            "spec": {},
            "status": {"state": "Available", "ready": True},
        }
    )


def claims(
    tuning: Tuning,
    seed: int = 1,
    kube: Contested | None = None,
    taken: bool = False,
    hosts: int = 20,
) -> tuple[Claims, Contested, Metrics]:
    """``taken``: by what the cache says, which the pool has not heard of."""
    runtime, kube, metrics = LiveRuntime(seed), kube or Contested(), Metrics()
    pool = HostPool(runtime, lambda key: None if taken else host(key.name))
    for number in range(hosts):
        pool.update(ObjectKey("default", f"h{number}"), host(f"h{number}"))
    env = Environment(runtime, kube, Silent(), metrics, lambda: tuning, lambda kind, obj: None)
    return Claims(env, pool, lambda key: [], lambda key: True, lambda: -1), kube, metrics


def machine(name: str, uid: str = "") -> Beskar7Machine:
    return Beskar7Machine(
        {"metadata": {"name": name, "namespace": "default", "uid": uid or name}, "spec": {}}
    )


def delays(subject: Claims, count: int, name: str = "m") -> list[float]:
    found = []
    for _ in range(count):
        with pytest.raises(Contended) as caught:
            subject.claim(machine(name))
        found.append(caught.value.delay)
    return found


def test_a_host_that_a_worker_of_the_process_tries_is_not_tried_by_another():
    class Crossed(Contested):
        """While the first try is on its way, another machine is reconciled."""

        def update(self, kind, obj):
            if len(self.tried) == 0:
                self.tried.append(obj["metadata"]["name"])
                delays(subject, 1, "other")
            return super().update(kind, obj)

    tuning = Tuning(claim_retry_limit=10)
    subject, kube, _ = claims(tuning, kube=Crossed())
    delays(subject, 1)
    first, *others = kube.tried[:11]
    assert len(others) == 10
    assert first not in others


class Silence(Contested):
    """An API that answers nothing, or what ``error`` says, until ``answers`` is set."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error
        self.answers = False

    def update(self, kind, obj):
        self.tried.append(obj["metadata"]["name"])
        if not self.answers:
            raise self.error
        return obj


def test_a_claim_without_an_answer_is_made_again_until_it_has_one():
    """On another host it would be a second claim: the first may be carried out yet."""
    kube = Silence(Timeout("no answer"))
    subject, _, _ = claims(Tuning(selection_algorithm="round-robin"), kube=kube)
    for _ in range(3):
        with pytest.raises(Timeout):
            subject.claim(machine("m"))
    kube.answers = True
    claimed = subject.claim(machine("m"))
    assert claimed is not None
    assert {claimed.name} == set(kube.tried)
    assert subject.claim(machine("m")).name != claimed.name, "it is settled"


def in_doubt() -> tuple[Claims, Silence]:
    """A first claim for machine m has got no answer."""
    kube = Silence(Timeout("no answer"))
    subject, _, _ = claims(Tuning(selection_algorithm="round-robin"), kube=kube)
    with pytest.raises(Timeout):
        subject.claim(machine("m"))
    return subject, kube


def test_a_claim_that_was_refused_is_settled():
    kube = Silence(Forbidden("not this host"))
    subject, _, _ = claims(Tuning(selection_algorithm="round-robin"), kube=kube)
    for _ in range(2):
        with pytest.raises(Forbidden):
            subject.claim(machine("m"))
    assert len(set(kube.tried)) == 2


@pytest.mark.parametrize("error", [TooManyRequests(""), Unauthorized(""), TemporaryError("")])
def test_that_it_may_not_come_again_yet_says_nothing_of_the_first(error):
    subject, kube = in_doubt()
    kube.error = error
    with pytest.raises(type(error)):
        subject.claim(machine("m"))
    kube.answers = True
    assert subject.claim(machine("m")).name == kube.tried[0]


def test_a_conflict_is_no_verdict_until_the_host_was_read():
    class Unread(Contested):
        def get(self, kind, namespace, name):
            raise ServiceUnavailable("busy")

    subject, kube, _ = claims(Tuning(selection_algorithm="round-robin"), kube=Unread())
    for _ in range(2):
        with pytest.raises(ServiceUnavailable):
            subject.claim(machine("m"))
    assert len(set(kube.tried)) == 1


def test_what_comes_again_is_for_the_machine_as_it_is_by_then():
    subject, kube = in_doubt()
    kube.answers = True
    edited = machine("m")
    edited.spec["imageURL"] = "http://images.example/new.iso"
    assert subject.claim(edited).spec["bootIsoSource"] == "http://images.example/new.iso"


def test_a_doubt_ends_when_the_machine_is_seen_to_have_a_host():
    subject, kube = in_doubt()
    subject.settled(machine("m").key)
    kube.answers = True
    assert subject.claim(machine("m")).name != kube.tried[0]


def test_who_finds_all_hosts_tried_by_others_comes_back_soon_however_often():
    class Crossed(Contested):
        def update(self, kind, obj):
            if not self.tried:
                self.tried.append(obj["metadata"]["name"])
                self.waits = delays(subject, 20, "other")
            return super().update(kind, obj)

    subject, kube, _ = claims(Tuning(), kube=Crossed(), hosts=1)
    delays(subject, 1)
    assert kube.waits == [FIRST_BACKOFF] * 20


def test_a_host_that_is_known_to_be_taken_is_not_tried():
    subject, kube, _ = claims(Tuning(), taken=True)
    delays(subject, 1)
    assert subject.claim(machine("m")) is None
    assert kube.tried == []


@pytest.mark.parametrize("gone", ["deleted", "made anew"])
def test_a_claim_without_an_answer_is_forgotten_with_its_machine(gone):
    subject, kube = in_doubt()
    if gone == "deleted":
        subject.forget(machine("m").key)
    kube.answers = True
    uid = "m" if gone == "deleted" else "another"
    claimed = subject.claim(machine("m", uid))
    assert claimed.consumer_uid == uid
    assert claimed.name != kube.tried[0]


@pytest.mark.upstream("U20")
def test_the_wait_grows_by_the_multiplier_to_the_maximum():
    subject, _, metrics = claims(Tuning(backoff_multiplier=2.0, max_backoff_delay=5.0))
    found = delays(subject, 10)
    for failures, delay in enumerate(found):
        full = min(5.0, 0.1 * 2.0**failures)
        assert full / 2 <= delay <= full
    assert found[-1] > 20 * found[0]
    retried = metrics.registry.get_sample_value(
        "beskar7_host_claim_retries_total", {"namespace": "default"}
    )
    assert retried == 10


def test_a_multiplier_of_one_keeps_the_wait_and_rivals_part():
    subject, _, _ = claims(Tuning(backoff_multiplier=1.0))
    assert max(delays(subject, 8)) <= 0.1
    assert delays(subject, 3, "one") != delays(subject, 3, "other")


@pytest.mark.upstream("U24")
def test_the_retry_limit_bounds_the_tries_and_each_is_another_host():
    subject, kube, metrics = claims(Tuning(claim_retry_limit=4))
    delays(subject, 1)
    assert len(set(kube.tried)) == len(kube.tried) == 4
    labels = {"namespace": "default", "outcome": "conflict", "conflict_reason": "optimistic_lock"}
    counted = metrics.registry.get_sample_value("beskar7_host_claim_attempts_total", labels)
    assert counted == 4


def test_a_machine_that_is_gone_leaves_no_memory():
    subject, _, _ = claims(Tuning())
    delays(subject, 5)
    subject.forget(ObjectKey("default", "m"))
    assert delays(subject, 1)[0] <= 0.1


def test_the_claim_coordinator_is_off_unless_enabled_and_takes_its_own_times():
    assert manager_settings("m", {}).claim_lease is None
    enabled = {"enable-claim-coordinator-leader-election": "true"}
    assert manager_settings("m", enabled).claim_lease == LeaseSettings(15.0, 10.0, 2.0)
    slow = {
        "claim-coordinator-lease-duration": "30s",
        "claim-coordinator-renew-deadline": "20s",
        "claim-coordinator-retry-period": "5s",
    }
    assert manager_settings("m", enabled | slow).claim_lease == LeaseSettings(30.0, 20.0, 5.0)
    with pytest.raises(ValueError, match="claim-coordinator-lease-duration"):
        manager_settings("m", enabled | {"claim-coordinator-lease-duration": "30"})
